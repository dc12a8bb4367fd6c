/**
 * The conformance of the gateway's HTTP/2 by h2spec (https://github.com/summerwind/h2spec), where it is installed:
 *
 *     GOBIN=/usr/local/bin go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { System } from '@causeway/protocol/admin/model.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestAuthority } from './harness/certificates.ts';
import { regions, startGateway, type TestGateway } from './harness/gateway.ts';
import { startUpstream, type Upstream } from './harness/upstream.ts';

/** What fails, and why: all of it in Node's HTTP/2, whose bare server fails the same cases. */
const KNOWN_FAILURES: Readonly<Record<string, string>> = {
  'closed: Sends a DATA frame after sending RST_STREAM frame': 'ignored: nghttp2 keeps no closed streams',
  'closed: Sends a HEADERS frame after sending RST_STREAM frame': 'ignored: nghttp2 keeps no closed streams',
  'closed: Sends a DATA frame': 'ignored: nghttp2 keeps no closed streams',
  'closed: Sends a HEADERS frame': 'ignored: nghttp2 keeps no closed streams',
  'Sends stream identifier that is numerically smaller than previous': 'ignored: nghttp2 keeps no closed streams',
  'Sends PRIORITY frame that depend on itself': 'ignored: RFC 9113 §5.3 deprecates priorities',
  'Sends a PRIORITY frame with 0x0 stream identifier': 'ignored: RFC 9113 §5.3 deprecates priorities',
  'Sends a PING frame with ACK': 'Node closes the connection: it has sent no PING',
  'Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream':
    'Node closes the connection in place of the stream',
};
/** On a plain port a connection that does not begin with the preface is one of HTTP/1.1, and gets 400. */
const KNOWN_WITHOUT_TLS = 'Sends invalid connection preface';

/** Longer than h2spec pauses between two frames. */
const RESPONSE_DELAY_MS = 100;

const directory = mkdtempSync(join(tmpdir(), 'causeway-h2spec-'));
let east: Upstream;
let gateway: TestGateway;
beforeAll(async () => {
  // A response comes later than the frames that a case sends behind its request: they find the stream as the case wants it.
  east = await startUpstream(
    (_, response) => void setTimeout(() => response.writeHead(200).end('{}'), RESPONSE_DELAY_MS),
  );
  const authority = await TestAuthority.create(directory);
  const { certFile, keyFile } = await authority.certify('server', { ip: ['127.0.0.1'] });
  gateway = await startGateway({
    regions: regions({ east: east.url }),
    listeners: [
      { name: 'plain', port: 0, http2: { isEnabled: true } },
      { name: 'secure', port: 0, tls: { certFile, keyFile } },
    ],
  });
});
afterAll(async () => {
  await gateway.close();
  await east.kill();
  rmSync(directory, { recursive: true });
});

/** Errors: with `CI=true`, if h2spec is not installed. */
function hasH2spec(): boolean {
  const isThere = spawnSync('h2spec', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!isThere && process.env['CI'] === 'true') throw new Error('h2spec is not installed: this file says how');
  return isThere;
}

interface Report {
  caseCount: number;
  failures: string[];
}

async function run(url: string, options: readonly string[]): Promise<Report> {
  const { hostname, port, protocol } = new URL(url);
  const file = join(directory, `${port}.xml`);
  const args = ['-h', hostname, '-p', port, '-P', '/topics', '-j', file, ...options];
  if (protocol === 'https:') args.push('-t', '-k');
  await new Promise<void>((resolve) => execFile('h2spec', args, () => resolve()));
  const cases = readFileSync(file, 'utf8').split('<testcase ').slice(1);
  return {
    caseCount: cases.length,
    failures: cases.filter((text) => /<failure|<error/.test(text)).map((text) => nameOf(text)),
  };
}

function nameOf(testcase: string): string {
  const name = / classname="([^"]*)"/.exec(testcase)?.[1] ?? testcase;
  return name.replaceAll('&#34;', '"').replaceAll('&gt;', '>');
}

async function check(name: 'plain' | 'secure'): Promise<{ caseCount: number; unknown: string[] }> {
  const { clients } = (await (await fetch(`${gateway.adminUrl}/api/topology`)).json()) as System;
  const url = clients.listeners.find((listener) => listener.name === name)?.url ?? '';
  const isUnknown = (failure: string): boolean =>
    !(failure in KNOWN_FAILURES) && !(name === 'plain' && failure === KNOWN_WITHOUT_TLS);
  let report = await run(url, ['-o', '2']);
  // A machine that stalls for longer than the time limit of a case makes it fail.
  if (report.failures.some(isUnknown)) report = await run(url, ['-o', '10']);
  return { caseCount: report.caseCount, unknown: report.failures.filter(isUnknown) };
}

test.skipIf(!hasH2spec())(
  'h2spec finds nothing but what Node does, with and without TLS',
  async () => {
    const clean = { caseCount: 145, unknown: [] };
    expect(await Promise.all([check('plain'), check('secure')])).toEqual([clean, clean]);
  },
  300_000,
);

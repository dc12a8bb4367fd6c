/** Load balancers for TCP in front of a gateway: the clients that they name, and how far these are trusted. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startBalancer } from '../../../test/harness/balancer.ts';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { hasDebianTool } from '../../../test/harness/debian-tool.ts';
import { regions } from '../../../test/harness/gateway.ts';
import { FORGED, PROOF, TEST_SECRET } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { gateway, upstream } from './fixture.ts';

const LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
/** As {@link FORGED} and {@link PROOF}, for curl. */
const FORGED_BY_CURL = Object.entries({ ...FORGED, ...PROOF }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-proxy-protocol-'));
  onTestFinished(async () => rmSync(directory, { recursive: true }));
  return directory;
}

describe('only the announced address decides about trust: the load balancer, itself a listed proxy and peer, passes any bytes', () => {
  test.each<[string, Buffer | string, { xff: string; own: string | undefined }]>([
    ['another client', 'PROXY TCP4 203.0.113.9 127.0.0.1 5 6\r\n', { xff: '203.0.113.9', own: undefined }],
    ['an IPv6 client', 'PROXY TCP6 2001:DB8::9 ::1 5 6\r\n', { xff: '2001:db8::9', own: undefined }],
    ['an IPv4 client on IPv6', 'PROXY TCP6 ::ffff:203.0.113.9 ::1 5 6\r\n', { xff: '203.0.113.9', own: undefined }],
    ['a listed address', 'PROXY TCP4 127.0.0.7 127.0.0.1 5 6\r\n', { xff: '6.6.6.6, 127.0.0.7', own: 'else' }],
    ['no client (UNKNOWN)', 'PROXY UNKNOWN\r\n', { xff: '127.0.0.1', own: undefined }],
    ['itself (LOCAL)', LOCAL, { xff: '127.0.0.1', own: undefined }],
  ])('it names %s', async (_, header, { xff, own }) => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }), listen: { port: 0, proxyProtocol: true } });
    const balancer = await startBalancer(Number(new URL(gw.url).port), { header });
    onTestFinished(async () => balancer.close());
    const headers = { ...FORGED, ...PROOF };
    const { statusCode, body } = await request(`http://127.0.0.1:${balancer.port}/topics/t`, { headers });
    await body.dump();
    const sent = east.requests.at(-1)?.headers ?? {};
    expect([statusCode, sent['x-forwarded-for'], sent['causeway-anything']]).toEqual([200, xff, own]);
    expect(sent['causeway-secret']).toBe(TEST_SECRET);
  });
});

test('connections without a valid header are an event, and counted by listener', async () => {
  const east = await upstream();
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { name: 'l4', port: 0, proxyProtocol: true },
  });
  for (const text of ['GET / HTTP/1.1\r\n\r\n', 'PROXY TCP9\r\n']) {
    const socket = connect(Number(new URL(gw.url).port), '127.0.0.1').resume();
    socket.write(text);
    await new Promise((resolve) => void socket.on('error', () => {}).once('close', resolve));
  }
  const events = gw.gateway.events.recent().filter(({ type }) => type === 'connectionsRefused');
  expect(events).toMatchObject([
    {
      listener: 'l4',
      connectionCount: 1,
      reason: 'a connection of 127.0.0.1 has no valid PROXY header: it does not begin with a PROXY header',
    },
  ]);
  const text = await (await request(`${gw.adminUrl}/metrics`)).body.text();
  expect(text).toContain('causeway_connections_refused_total{listener="l4",reason="proxyHeader"} 2');
});

/** A port that was free a moment ago: HAProxy does not say which one the system chose for it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** HAProxy in front of ports, with the options of a server for each. Returns its own ports. */
async function startHaproxy(servers: readonly { port: number; options: string }[]): Promise<number[]> {
  const ports: number[] = [];
  for (const _ of servers) ports.push(await freePort());
  const file = join(temporaryDirectory(), 'haproxy.cfg');
  const sections = servers.map(
    ({ port, options }, index) =>
      `listen l${index}\n  bind 127.0.0.1:${ports[index]}\n  unique-id-format %ci-%rt\n  server s 127.0.0.1:${port} ${options}\n`,
  );
  const timeouts = '  timeout connect 60s\n  timeout client 60s\n  timeout server 60s\n';
  writeFileSync(file, `global\n  nbthread 1\ndefaults\n  mode tcp\n${timeouts}${sections.join('')}`);
  const child = spawn('haproxy', ['-f', file, '-db'], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  for (const port of ports) {
    await until('HAProxy listens', async () => {
      const socket = connect(port, '127.0.0.1');
      const isThere = await new Promise((resolve) =>
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
      );
      socket.destroy();
      return isThere === true;
    });
  }
  return ports;
}

test.skipIf(!hasDebianTool('haproxy', '-v'))('behind HAProxy, in both versions, plain and over TLS', async () => {
  const directory = temporaryDirectory();
  const { certFile, keyFile } = await (await TestAuthority.create(directory)).certify('gateway', { ip: ['127.0.0.1'] });
  const east = await upstream();
  const log = join(directory, 'access.log');
  const gw = await gateway({
    regions: regions({ east: east.url }),
    trust: { proxies: ['127.0.0.1'], peers: ['127.0.0.1'], secret: TEST_SECRET },
    accessLog: { file: log },
    listeners: [
      { name: 'plain', port: 0, proxyProtocol: true },
      { name: 'secure', port: 0, proxyProtocol: true, tls: { certFile, keyFile } },
    ],
  });
  const versions = ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,unique-id,authority'];
  const listeners = gw.urls.flatMap((url) => versions.map((options) => ({ url: new URL(url), options })));
  const ports = await startHaproxy(listeners.map(({ url, options }) => ({ port: Number(url.port), options })));
  for (const [index, { url, options }] of listeners.entries()) {
    const scheme = url.protocol.slice(0, -1);
    const target = `${scheme}://127.0.0.1:${ports[index]}/topics/t`;
    const answer = ['-o', '/dev/null', '-w', '%{http_code} %{http_version}'];
    const { stdout } = await promisify(execFile)('curl', [
      ...['-sSk', '--interface', '127.0.0.3', ...FORGED_BY_CURL, ...answer, target],
    ]);
    const what = `${scheme} ${options}`;
    expect([what, stdout]).toEqual([what, scheme === 'https' ? '200 2' : '200 1.1']);
    const headers = east.requests.at(-1)?.headers ?? {};
    expect([what, headers['x-forwarded-for'], headers['x-forwarded-proto'], headers['causeway-anything']]).toEqual([
      what,
      '127.0.0.3',
      scheme,
      undefined,
    ]);
  }
  await gw.close();
  const clients = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { client: string }).client);
  expect(clients).toEqual(listeners.map(() => '127.0.0.3'));
  expect(gw.gateway.events.recent().filter(({ type }) => type === 'connectionsRefused')).toEqual([]);
});

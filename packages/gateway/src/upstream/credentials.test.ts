/** The gateway's certificate and authorities for targets: read again when files change, kept when they cannot be used. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { UpstreamTls } from '@causeway/config/upstream-tls.ts';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { TestAuthority } from '../../../../test/harness/certificates.ts';
import { type Listening, listen, poolOf, send } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import { UpstreamCredentials } from './credentials.ts';

let root: string;
let first: TestAuthority;
let second: TestAuthority;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'causeway-credentials-'));
  first = await TestAuthority.create(root, 'first-authority');
  second = await TestAuthority.create(root, 'second-authority');
  return () => rmSync(root, { recursive: true });
});

interface Content {
  ca: string;
  cert: string;
  key: string;
}

/** As Kubernetes mounts a secret: each file is a link into `..data`, which is a link to a directory that an update replaces. */
class Mounted {
  readonly tls: UpstreamTls;
  readonly #directory = mkdtempSync(join(root, 'mounted-'));
  #count = 0;

  constructor(content: Content) {
    this.swap(content);
    const path = (name: string): string => join(this.#directory, name);
    for (const name of ['ca', 'cert', 'key']) symlinkSync(join('..data', name), path(name));
    this.tls = { caFile: path('ca'), certFile: path('cert'), keyFile: path('key'), minVersion: 'TLSv1.2' };
  }

  swap(content: Partial<Content>): void {
    this.#count += 1;
    const name = `..version-${this.#count}`;
    mkdirSync(join(this.#directory, name));
    for (const [file, text] of Object.entries(content)) writeFileSync(join(this.#directory, name, file), text);
    symlinkSync(name, join(this.#directory, '..new'));
    renameSync(join(this.#directory, '..new'), join(this.#directory, '..data'));
  }
}

async function contentOf(
  authority: TestAuthority,
  name: string,
  more: { notBefore?: Date; notAfter?: Date } = {},
): Promise<Content> {
  const { cert, key } = await authority.certify(name, { dns: [`${name}.example`], ...more });
  return { ca: authority.cert, cert, key };
}

function credentialsOf(tls: UpstreamTls): { credentials: UpstreamCredentials; reloads: (string | null)[] } {
  const reloads: (string | null)[] = [];
  const credentials = new UpstreamCredentials(tls, { onChange: (problem) => reloads.push(problem) });
  credentials.start();
  onTestFinished(() => credentials.close());
  return { credentials, reloads };
}

/** A target that demands certificates of `authority`, and says whose it got and whether the session was resumed. */
async function demanding(authority: TestAuthority): Promise<Listening> {
  const own = await authority.certify('target', { ip: ['127.0.0.1'] });
  const options = { ...own, ca: authority.cert, requestCert: true };
  const server = createHttpsServer(options, ({ socket }, response) => {
    const peer = socket as TLSSocket;
    response.end(`${peer.getPeerCertificate().subject?.CN ?? 'unknown'}${peer.isSessionReused() ? ', resumed' : ''}`);
  });
  return await listen(server, 'https');
}

test('a renewed certificate is shown on new connections, while the connection in use stays', async () => {
  const mounted = new Mounted(await contentOf(first, 'gateway-one'));
  const { credentials, reloads } = credentialsOf(mounted.tls);
  const target = await demanding(first);
  const pool = poolOf(target.url, {}, { secureContext: () => credentials.secureContext });
  const ask = async (isFresh: boolean): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let text = '';
    pool.dispatch(
      { method: 'GET', path: '/', headers: [], body: undefined },
      {
        onRequestStart: () => true,
        onResponseStart: () => {},
        onResponseData: (chunk) => {
          text += chunk.toString();
          return true;
        },
        onResponseEnd: () => resolve(text),
        onResponseError: reject,
      },
      { isFresh },
    );
    return await promise;
  };
  expect(await ask(true)).toBe('gateway-one');
  // With the same files a new connection resumes the session of the first.
  await until('a session is resumed', async () => (await ask(true)) === 'gateway-one, resumed');
  mounted.swap(await contentOf(first, 'gateway-two'));
  await until('the files are in use', () => reloads.length > 0);
  expect(reloads).toEqual([null]);
  expect(await ask(false)).toMatch(/^gateway-one/);
  expect(await ask(true)).toBe('gateway-two');
  expect(credentials.reloadCounts).toEqual({ applied: 1, refused: 0 });
});

test('after a change of the authorities no session is resumed with a target that they do not know', async () => {
  const mounted = new Mounted(await contentOf(first, 'gateway-ca'));
  const { credentials, reloads } = credentialsOf(mounted.tls);
  const target = await demanding(first);
  const pool = poolOf(target.url, {}, { secureContext: () => credentials.secureContext });
  expect((await send(pool).answered).error).toBeUndefined();
  mounted.swap({ ...(await contentOf(first, 'gateway-ca')), ca: second.cert });
  await until('the files are in use', () => reloads.length > 0);
  for (const socket of target.sockets) socket.destroy();
  await until('the target has no connection', () => target.sockets.size === 0);
  expect(await send(pool).answered).toMatchObject({
    hasStarted: false,
    error: { code: 'SELF_SIGNED_CERT_IN_CHAIN' },
  });
});

test('no session is resumed beyond the end of the certificate that the target showed', async () => {
  const { cert, key } = await first.certify('ending-target', { ip: ['127.0.0.1'] });
  const server = createHttpsServer({ cert, key }, ({ socket }, response) => {
    response.end((socket as TLSSocket).isSessionReused() ? 'resumed' : 'new');
  });
  const target = await listen(server, 'https');
  const context = createSecureContext({ ca: first.cert });
  const pool = poolOf(target.url, {}, { secureContext: () => context });
  const ask = async () => {
    for (const socket of target.sockets) socket.destroy();
    await until('the target has no connection', () => target.sockets.size === 0);
    return (await send(pool).answered).body.toString();
  };
  await until('a session is resumed', async () => (await ask()) === 'resumed');
  const { validToDate } = new X509Certificate(cert);
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  vi.setSystemTime(validToDate.getTime() - 1);
  expect(await ask()).toBe('resumed');
  vi.setSystemTime(validToDate);
  expect(await ask()).toBe('new');
});

test('files that cannot be used change nothing, say why, and the problem is over when they are mended', async () => {
  const good = await contentOf(first, 'gateway-three');
  const mounted = new Mounted(good);
  const { credentials, reloads } = credentialsOf(mounted.tls);
  const before = credentials.secureContext;
  const foreignKey = (await contentOf(first, 'gateway-four')).key;
  const over = await contentOf(first, 'gateway-five', { notAfter: new Date(Date.now() - 1_000) });
  const broken: [Partial<Content>, RegExp][] = [
    [{ ...good, ca: 'nonsense' }, /^upstream\.tls\.caFile: .* has no certificate in PEM format$/],
    [{ ...good, key: foreignKey }, /^upstream\.tls\.keyFile: .* is not the key of the certificate in /],
    [{ ...good, cert: good.cert.slice(0, 200) }, /^upstream\.tls\.certFile: .* has no certificate/],
    [over, /^upstream\.tls\.certFile: the certificate in .* expired at 20/],
  ];
  for (const [content, reason] of broken) {
    const count = reloads.length;
    mounted.swap(content);
    await until(`${reason} is reported`, () => reloads.length > count);
    expect(reloads.at(-1)).toMatch(reason);
    expect(credentials.problem).toBe(reloads.at(-1));
    expect(credentials.secureContext).toBe(before);
  }
  expect(JSON.stringify(reloads)).not.toContain('PRIVATE KEY');
  mounted.swap(await contentOf(first, 'gateway-six'));
  await until('the files are in use', () => reloads.at(-1) === null);
  expect(credentials.problem).toBeNull();
  expect(credentials.secureContext).not.toBe(before);
  expect(credentials.reloadCounts).toEqual({ applied: 1, refused: broken.length });
});

test('a certificate that ends while it is in use is a problem', async () => {
  const content = await contentOf(first, 'gateway-ending');
  let now = Date.now();
  const problems: (string | null)[] = [];
  const credentials = new UpstreamCredentials(new Mounted(content).tls, {
    onChange: (problem) => problems.push(problem),
    wallClock: () => now,
  });
  credentials.check();
  expect(problems).toEqual([]);
  now = credentials.expiresAtMs as number;
  credentials.check();
  credentials.check();
  expect(problems).toEqual([expect.stringMatching(/expired at/)]);
});

test('a certificate that is not valid yet waits for its time, with the one before in use', async () => {
  const mounted = new Mounted(await contentOf(first, 'gateway-before'));
  const problems: (string | null)[] = [];
  let now = Date.now();
  const credentials = new UpstreamCredentials(mounted.tls, {
    onChange: (problem) => problems.push(problem),
    wallClock: () => now,
  });
  credentials.start();
  onTestFinished(() => credentials.close());
  const before = credentials.secureContext;
  const from = new Date(1000 * Math.ceil(now / 1000) + 3_600_000);
  const ends = { notBefore: from, notAfter: new Date(from.getTime() + 3_600_000) };
  mounted.swap(await contentOf(first, 'gateway-early', ends));
  await until('the files were read', () => problems.length > 0);
  expect(problems).toEqual([
    `upstream.tls.certFile: the certificate in ${mounted.tls.certFile} is not valid before ${from.toISOString()}`,
  ]);
  expect(credentials.secureContext).toBe(before);
  now = from.getTime();
  credentials.check();
  expect(problems.slice(1)).toEqual([null]);
  expect(credentials.secureContext).not.toBe(before);
});

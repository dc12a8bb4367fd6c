import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../../../../test/harness/bridge.ts';
import { TestAuthority } from '../../../../test/harness/certificates.ts';
import { until } from '../../../../test/harness/until.ts';

let directory: string;
let authority: TestAuthority;
let bridge: TestBridge | undefined;
const connections: TLSSocket[] = [];
const agents: Agent[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-tls-'));
  authority = await TestAuthority.create(directory);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  for (const connection of connections.splice(0)) connection.destroy();
  await bridge?.close();
  bridge = undefined;
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function certify(name: string) {
  return authority.certify(name, { ip: ['127.0.0.1'] });
}

async function start(tls: object, overrides: Record<string, object> = {}): Promise<TestBridge> {
  bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    listen: { port: 0, tls },
    management: { port: 0 },
    ...overrides,
  });
  return bridge;
}

/** A new connection after its handshake. Errors: of the handshake. */
async function dial({ bridge: { port } }: TestBridge, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  connections.push(socket);
  await once(socket, 'secureConnect');
  return socket;
}

/** The name in the certificate that a new connection gets. */
async function shownName(server: TestBridge): Promise<string | undefined> {
  const socket = await dial(server);
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return typeof name === 'string' ? name : undefined;
}

async function ask(
  server: TestBridge,
  method: string,
  path: string,
  agent: Agent,
): Promise<{ status: number; text: string }> {
  const request = httpsRequest(`${server.url}${path}`, { method, agent, ca: authority.cert });
  request.end();
  const [response] = await once(request, 'response');
  return { status: response.statusCode, text: (await response.toArray()).join('') };
}

function keptAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agents.push(agent);
  return agent;
}

async function metric({ bridge: { managementPort } }: TestBridge, name: string): Promise<number> {
  return sampleOf(await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text(), name);
}

function sampleOf(text: string, name: string): number {
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );
}

test('the API is served over TLS, base_uri has https, and the management port is plain HTTP', async () => {
  const { certFile, keyFile } = await certify('plain');
  const server = await start({ certFile, keyFile });
  expect(server.url).toMatch(/^https:/);
  const { status, text } = await ask(server, 'POST', '/consumers/g', keptAlive());
  expect(status).toBe(200);
  expect(JSON.parse(text).base_uri).toMatch(new RegExp(`^${server.url}/consumers/g/instances/`));
  expect((await fetch(`http://127.0.0.1:${server.bridge.managementPort}/healthy`)).status).toBe(200);
  const expiresAtMs =
    1000 * (await metric(server, 'causeway_bridge_certificate_expiry_timestamp_seconds{listener="api"}'));
  expect(expiresAtMs).toBeGreaterThan(Date.now());
  const socket = await dial(server, { ALPNProtocols: ['h2', 'http/1.1'] });
  expect(socket.alpnProtocol).toBe('http/1.1');
});

test('an old version of TLS, and bytes that are not TLS, end their own connection only', async () => {
  const { certFile, keyFile } = await certify('versions');
  const server = await start({ certFile, keyFile, minVersion: 'TLSv1.3' });
  await expect(dial(server, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/);
  await expect(fetch(server.url.replace('https:', 'http:'))).rejects.toThrow();
  expect((await dial(server)).getProtocol()).toBe('TLSv1.3');
});

test.each([
  ['in the file', (passphrase: string) => ({ keyPassphrase: passphrase })],
  [
    'in a file of its own',
    (passphrase: string) => {
      const keyPassphraseFile = join(directory, 'passphrase');
      writeFileSync(keyPassphraseFile, `${passphrase}\n`);
      return { keyPassphraseFile };
    },
  ],
])('a key may be encrypted, with its passphrase %s', async (_, options) => {
  const { certFile, key } = await certify('encrypted');
  const keyFile = join(directory, 'encrypted.pem');
  const format = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' } as const;
  writeFileSync(keyFile, createPrivateKey(key).export(format));
  const server = await start({ certFile, keyFile, ...options('open sesame') });
  expect(await shownName(server)).toBe('encrypted');
});

test('clients without a certificate of the right authority are refused', async () => {
  const { certFile, keyFile } = await certify('mutual');
  const stranger = await TestAuthority.create(directory, 'stranger');
  const server = await start({ certFile, keyFile, clientCaFile: authority.certFile });
  // In TLS 1.3 a client learns that it is refused after its own part of the handshake.
  const answerTo = async (options: ConnectionOptions): Promise<string> => {
    const socket = await dial(server, options);
    socket.end('GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n');
    return (await socket.toArray().catch(() => ['no answer'])).join('') || 'no answer';
  };
  const { cert, key } = await certify('client');
  expect(await answerTo({ cert, key })).toMatch(/^HTTP\/1\.1 200 OK/);
  const unknown = await stranger.certify('client-of-strangers');
  expect(await answerTo({})).toBe('no answer');
  expect(await answerTo({ cert: unknown.cert, key: unknown.key })).toBe('no answer');
});

test('a gateway is known by its certificate, without a secret; headers of others have no effect', async () => {
  const { certFile, keyFile } = await certify('trusting');
  const stranger = await TestAuthority.create(directory, 'signer-of-others');
  const server = await start(
    { certFile, keyFile, clientCaFile: authority.certFile, clientCertificates: 'request' },
    { trust: { peers: ['spiffe://causeway.example/gateway', 'Tier1.example'] } },
  );
  const byName = await authority.certify('tier1', { dns: ['other.example', 'tier1.example'] });
  const byUri = await authority.certify('regional', { uri: ['spiffe://causeway.example/gateway'] });
  const wildcard = await authority.certify('wildcard', { dns: ['*.example'] });
  const common = await authority.certify('tier1.example');
  const foreign = await stranger.certify('foreign', { dns: ['tier1.example'] });
  const headers = 'causeway-gateway: tier1/east\r\nx-forwarded-host: public.example:443\r\nx-forwarded-proto: https';
  const request = `POST /consumers/trusted HTTP/1.1\r\nhost: h\r\n${headers}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`;
  const trustIn = async (client: { cert?: string; key?: string }) => {
    const socket = await dial(server, client.cert === undefined ? {} : { cert: client.cert, key: client.key });
    socket.write(request);
    const text = (await socket.toArray()).join('');
    const isPublic = text.includes('https://public.example:443/consumers/trusted');
    return { namesBridge: /^causeway-bridge: /im.test(text), isPublic };
  };
  for (const client of [byName, byUri]) expect(await trustIn(client)).toEqual({ namesBridge: true, isPublic: true });
  for (const client of [wildcard, common, foreign, {}]) {
    expect(await trustIn(client)).toEqual({ namesBridge: false, isPublic: false });
  }
});

test('the management port has certificates of its own, and its handshake failures are counted there', async () => {
  const { certFile, keyFile } = await certify('managed');
  const server = await start(
    { certFile, keyFile },
    { management: { port: 0, tls: { certFile, keyFile, clientCaFile: authority.certFile } } },
  );
  const { cert, key } = await certify('prometheus');
  const scrape = (options: object) => {
    const request = httpsRequest(`https://127.0.0.1:${server.bridge.managementPort}/metrics`, {
      ...options,
      agent: false,
      ca: authority.cert,
    });
    request.end();
    return once(request, 'response').then(async ([response]) => (await response.toArray()).join('') as string);
  };
  await expect(scrape({})).rejects.toThrow();
  const failure = 'causeway_bridge_tls_handshake_failures_total{listener="management",reason="noCertificate"}';
  expect(sampleOf(await scrape({ cert, key }), failure)).toBe(1);
});

test('a replaced certificate is shown to new connections, and open ones continue', async () => {
  const files = await certify('first');
  const server = await start({ certFile: files.certFile, keyFile: files.keyFile });
  const agent = keptAlive();
  await ask(server, 'GET', '/', agent);
  const second = await certify('second');
  // One file after the other, as operators do it.
  renameSync(second.certFile, files.certFile);
  renameSync(second.keyFile, files.keyFile);
  await until('the second is shown', async () => (await shownName(server)) === 'second');
  expect(await metric(server, 'causeway_bridge_certificate_reloads_total{listener="api",outcome="applied"}')).toBe(1);
  expect(await metric(server, 'causeway_bridge_certificate_reloads_total{listener="api",outcome="refused"}')).toBe(0);
  const [socket] = Object.values(agent.freeSockets).flat() as TLSSocket[];
  expect(socket?.getPeerCertificate().subject.CN).toBe('first');
  expect((await ask(server, 'GET', '/', agent)).status).toBe(200);
  expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
});

test('certificates may be replaced through a symlink, as Kubernetes does it', async () => {
  const mount = mkdtempSync(join(directory, 'mount-'));
  for (const [folder, name] of [
    ['..1', 'old'],
    ['..2', 'new'],
  ] as const) {
    const { cert, key } = await certify(name);
    mkdirSync(join(mount, folder));
    writeFileSync(join(mount, folder, 'tls.crt'), cert);
    writeFileSync(join(mount, folder, 'tls.key'), key);
  }
  symlinkSync('..1', join(mount, '..data'));
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(mount, file));
  const server = await start({ certFile: join(mount, 'tls.crt'), keyFile: join(mount, 'tls.key') });
  expect(await shownName(server)).toBe('old');
  symlinkSync('..2', join(mount, '..data_tmp'));
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  await until('the new one is shown', async () => (await shownName(server)) === 'new');
});

test('a certificate that cannot be used changes nothing and is counted, and a later valid one is used', async () => {
  const files = await certify('good');
  const server = await start({ certFile: files.certFile, keyFile: files.keyFile });
  const refused = () => metric(server, 'causeway_bridge_certificate_reloads_total{listener="api",outcome="refused"}');
  const { cert } = await certify('of another key');
  writeFileSync(files.certFile, cert);
  await until('it is refused', async () => (await refused()) === 1);
  expect(await shownName(server)).toBe('good');
  writeFileSync(files.certFile, 'no certificate');
  await until('it is refused too', async () => (await refused()) === 2);
  expect(await shownName(server)).toBe('good');
  const better = await certify('better');
  writeFileSync(files.keyFile, readFileSync(better.keyFile));
  writeFileSync(files.certFile, better.cert);
  await until('the better one is shown', async () => (await shownName(server)) === 'better');
  expect(await refused()).toBe(2);
});

test('a bridge with files that it cannot use does not start, and reports why', async () => {
  const { certFile } = await certify('unused');
  const other = await certify('other');
  await expect(start({ certFile, keyFile: join(directory, 'nowhere') })).rejects.toThrow(
    /^listen\.tls\.keyFile cannot be used: .*nowhere cannot be read: there is no such file/,
  );
  await expect(start({ certFile, keyFile: other.keyFile })).rejects.toThrow(
    /^listen\.tls\.keyFile cannot be used: .*other\.key is not the key of/,
  );
});

/** The admin port over TLS: real gateways, one behind the other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { RecordedEvent, System } from '@causeway/protocol/admin/model.ts';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CertifiedKey, TestAuthority } from '../../../../test/harness/certificates.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../../test/harness/upstream.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-admin-tls-'));
const NAMES = { dns: ['localhost', 'ops.example'], ip: ['127.0.0.1'] };

let authority: TestAuthority;
let own: CertifiedKey;
let upstream: Upstream;
let inner: TestGateway;
let gw: TestGateway;
let trusting: Agent;

beforeAll(async () => {
  authority = await TestAuthority.create(directory);
  own = await authority.certify('admin', NAMES);
  upstream = await startUpstream();
  const tls = { certFile: own.certFile, keyFile: own.keyFile };
  const admin = { port: 0, token: TEST_TOKEN, tls };
  inner = await startGateway({
    gateway: { name: 'inner', region: 'east' },
    admin,
    regions: regions({ east: upstream.url, west: 'http://127.0.0.1:1' }),
  });
  gw = await startGateway({
    admin: { ...admin, allowedHosts: ['ops.example'] },
    upstream: { tls: { caFile: authority.certFile } },
    regions: [{ name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] }],
  });
  // undici takes the name from Host, for which tests send names that no certificate has.
  trusting = new Agent({ connect: { ca: authority.cert, checkServerIdentity: () => undefined } });
});
afterAll(async () => {
  await trusting.destroy();
  await gw.close();
  await inner.close();
  await upstream.kill();
  rmSync(directory, { recursive: true });
});

async function get(path: string, headers: Record<string, string> = {}, method: 'GET' | 'POST' = 'GET') {
  const answer = await request(`${gw.adminUrl}${path}`, { dispatcher: trusting, headers, method });
  const text = await answer.body.text();
  return { status: answer.statusCode, text };
}

async function systemOf(): Promise<System> {
  return JSON.parse((await get('/api/topology?behind=false')).text) as System;
}

const events = (): RecordedEvent[] => gw.gateway.events.recent().filter((event) => event.gateway === undefined);

test('the port speaks HTTPS, in HTTP/1.1 and with TLS 1.2 at least, and says so', async () => {
  expect(gw.adminUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(events().find(({ type }) => type === 'started')).toMatchObject({ adminUrl: gw.adminUrl });
  for (const path of ['/healthy', '/', '/page/main.ts', '/metrics', '/api/topology']) {
    expect([path, (await get(path)).status]).toEqual([path, 200]);
  }
  await expect(request(`${gw.adminUrl}/healthy`)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  await expect(request(`${gw.adminUrl.replace('https', 'http')}/healthy`)).rejects.toThrow();
  const port = Number(new URL(gw.adminUrl).port);
  const protocols: unknown[] = [];
  for (const ALPNProtocols of [['h2', 'http/1.1'], ['http/1.1'], undefined]) {
    const socket = connect({
      port,
      ca: authority.cert,
      servername: 'localhost',
      ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
    });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    protocols.push(socket.alpnProtocol);
    socket.destroy();
  }
  expect(protocols).toEqual(['http/1.1', 'http/1.1', false]);
});

test('Host and Origin are checked, with https as the scheme of its own pages', async () => {
  const { host } = new URL(gw.adminUrl);
  expect((await get('/api/topology', { host: 'evil.example' })).status).toBe(421);
  for (const [headers, status] of [
    [{ origin: `https://${host}` }, 200],
    [{ origin: `http://${host}` }, 403],
    [{ host: 'ops.example', origin: 'https://ops.example' }, 200],
    [{ host: 'ops.example:443', origin: 'https://ops.example' }, 200],
    [{ host: 'ops.example', origin: 'http://ops.example' }, 403],
    [{ host: 'ops.example', origin: 'https://evil.example' }, 403],
  ] as const) {
    expect([headers, (await get('/api/topology', headers)).status]).toEqual([headers, status]);
  }
});

test('another gateway reads it and relays to it, with the authority of upstream.tls', async () => {
  await until('the region was asked', async () => {
    const { text } = await get('/api/topology');
    return (JSON.parse(text) as System).regions[0]?.targets[0]?.behind != null;
  });
  const authorization = `Bearer ${TEST_TOKEN}`;
  const drained = await get('/api/regions/east/regions/west/undrain', { authorization }, 'POST');
  expect([drained.status, JSON.parse(drained.text).name]).toEqual([200, 'west']);
});

test('a renewed certificate is in use for new connections, a broken one is not and is shown; streams stay', async () => {
  const stream = await request(`${gw.adminUrl}/api/live`, { dispatcher: trusting });
  let streamed = '';
  stream.body.on('data', (piece: Buffer) => {
    streamed += piece.toString();
  });
  const certificate = async () => (await systemOf()).admin.tls;
  const first = await certificate();
  expect(first).toMatchObject({ problem: null, expiresSoon: false, names: [...NAMES.dns, ...NAMES.ip] });

  // Written in place: same names, other dates.
  const notAfter = new Date(Date.now() + 60_000);
  await authority.certify('admin', { ...NAMES, notBefore: new Date(Date.now() - 86_400_000), notAfter });
  await until('it is in use', async () => (await certificate())?.expiresSoon === true);
  expect((await certificate())?.notAfter.slice(0, 19)).toBe(notAfter.toISOString().slice(0, 19));

  writeFileSync(own.certFile, 'no certificate');
  await until('it is refused', async () => (await certificate())?.problem !== null);
  const system = await systemOf();
  expect(system).toMatchObject({
    state: 'degraded',
    summary: expect.stringContaining('Listener admin: '),
  });
  expect(events().findLast(({ type }) => type === 'certificate')).toMatchObject({
    of: 'listener admin',
    problem: expect.stringContaining('admin.crt '),
  });

  await authority.certify('admin', NAMES);
  await until('it is valid again', async () => (await certificate())?.problem === null);
  const length = streamed.length;
  await until('the stream continues', () => streamed.length > length && streamed.includes('"of":"listener admin"'));
  stream.body.destroy();
});

test('a client that does not accept the certificate is an event', async () => {
  const port = Number(new URL(gw.adminUrl).port);
  const socket = connect({ port, servername: 'localhost' });
  await new Promise((resolve) => socket.once('error', resolve));
  await until('it is reported', () => events().some(({ type }) => type === 'handshake'));
  expect(events().find(({ type }) => type === 'handshake')).toMatchObject({
    listener: 'admin',
    address: '127.0.0.1',
  });
});

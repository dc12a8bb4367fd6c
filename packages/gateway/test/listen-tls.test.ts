/** Client listeners with TLS: certificates, who is known by one, and what operators see of them. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { System } from '@causeway/protocol/admin/model.ts';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type CertifiedKey, TestAuthority } from '../../../test/harness/certificates.ts';
import { regions, startGateway, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream } from '../../../test/harness/upstream.ts';
import { Gateway } from '../src/gateway.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-listen-tls-'));
let authority: TestAuthority;
let server: CertifiedKey;
let target: Upstream;
let gateway: TestGateway | undefined;
beforeAll(async () => {
  authority = await TestAuthority.create(directory);
  server = await authority.certify('server', { ip: ['127.0.0.1'], dns: ['server.example'] });
  target = await startUpstream(answerJson({}));
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});
afterAll(async () => {
  await target.kill();
  rmSync(directory, { recursive: true });
});

const tlsOf = ({ certFile, keyFile }: CertifiedKey, others: object = {}) => ({ certFile, keyFile, ...others });

async function start(overrides: Record<string, unknown>): Promise<TestGateway> {
  gateway = await startGateway({ regions: regions({ east: target.url }), ...overrides });
  return gateway;
}

/** The status. Errors: of the connection. */
async function ask(
  url: string,
  options: { cert?: string; key?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  const request = httpsRequest(`${url}/topics`, { agent: false, ca: authority.cert, ...options });
  request.end();
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode;
}

async function systemOf({ adminUrl }: TestGateway): Promise<System> {
  return (await (await fetch(`${adminUrl}/api/topology`)).json()) as System;
}

async function metricsOf({ adminUrl }: TestGateway): Promise<string> {
  return await (await fetch(`${adminUrl}/metrics`)).text();
}

test('operators see names, end and problem of the certificates of each listener', async () => {
  const broken = await authority.certify('broken', { dns: ['broken.example'] });
  const started = await start({
    listen: undefined,
    listeners: [
      { name: 'plain', port: 0 },
      { name: 'public', port: 0, tls: { certificates: [tlsOf(server), tlsOf(broken)] } },
    ],
  });
  const [plain, secure] = (await systemOf(started)).clients.listeners;
  expect(plain).toMatchObject({ name: 'plain', url: expect.stringMatching(/^http:/), tls: null });
  expect(secure).toMatchObject({
    name: 'public',
    url: expect.stringMatching(/^https:/),
    tls: { names: ['server.example', '127.0.0.1', 'broken.example'], problem: null },
  });
  expect(Date.parse(secure?.tls?.notAfter ?? '')).toBeGreaterThan(Date.now());
  expect(await ask(secure?.url ?? '')).toBe(200);
  writeFileSync(broken.keyFile, server.key);
  await until(
    'the problem is shown',
    async () => (await systemOf(started)).clients.listeners[1]?.tls?.problem !== null,
  );
  const system = await systemOf(started);
  expect(system.clients.listeners[1]?.tls?.problem).toMatch(/broken\.key is not the key of/);
  expect(started.gateway.events.recent().at(-1)).toMatchObject({
    type: 'certificate',
    of: 'listener public',
    problem: system.clients.listeners[1]?.tls?.problem,
  });
  const text = await metricsOf(started);
  expect(text).toContain('causeway_certificate_usable{listener="public"} 0');
  expect(text).toContain('causeway_certificate_reloads_total{listener="public",outcome="refused"} 1');
  expect(text).toMatch(/^causeway_certificate_expiry_timestamp_seconds\{listener="public"\} \d/m);
  expect(text).not.toMatch(/certificate.*listener="plain"/);
  writeFileSync(broken.keyFile, broken.key);
  writeFileSync(broken.certFile, `${broken.cert}\n`);
  await until('it is solved', async () => (await systemOf(started)).clients.listeners[1]?.tls?.problem === null);
});

test('a client without an accepted certificate is refused, and an event says why', async () => {
  const started = await start({
    listen: { port: 0, name: 'inner', tls: tlsOf(server, { clientCaFile: authority.certFile }) },
  });
  const client = await authority.certify('client');
  expect(await ask(started.url, client)).toBe(200);
  await expect(ask(started.url)).rejects.toThrow();
  const expired = await authority.certify('expired', { notAfter: new Date(Date.now() - 1000) });
  await expect(ask(started.url, expired)).rejects.toThrow();
  const failures = () => started.gateway.events.recent().filter((event) => event.type === 'handshake');
  await until('both are reported', () => failures().length === 2);
  expect(failures()).toMatchObject([
    { listener: 'inner', address: '127.0.0.1', failureCount: 1, reason: expect.stringContaining('no certificate') },
    { listener: 'inner', address: '127.0.0.1', failureCount: 1, reason: expect.stringContaining('has expired') },
  ]);
  const text = await metricsOf(started);
  expect(text).toContain('causeway_tls_handshake_failures_total{listener="inner",reason="noCertificate"} 1');
});

test('the client that cannot connect is the one that a load balancer announces', async () => {
  const started = await start({
    listen: { port: 0, tls: tlsOf(server), proxyProtocol: true },
    trust: { proxies: ['127.0.0.1'] },
  });
  const socket = connectPlain(Number(new URL(started.url).port), '127.0.0.1').resume();
  socket.write('PROXY TCP4 198.51.100.7 127.0.0.1 50000 443\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\n');
  const failure = () => started.gateway.events.recent().find((event) => event.type === 'handshake');
  await until('it is reported', () => failure() !== undefined);
  expect(failure()).toMatchObject({ address: '198.51.100.7', reason: expect.stringContaining('does not speak TLS') });
  socket.destroy();
});

test('a gateway is known by its certificate, and forwards who it was for; others are clients', async () => {
  const started = await start({
    listen: { port: 0, tls: tlsOf(server, { clientCaFile: authority.certFile }) },
    trust: { peers: ['tier1.example'] },
  });
  const tier1 = await authority.certify('tier1', { dns: ['tier1.example'] });
  const client = await authority.certify('client', { dns: ['client.example'] });
  const headers = { 'causeway-gateway': 'tier1', 'x-forwarded-for': '198.51.100.7', 'causeway-failed': 'east/x' };
  const before = target.requests.length;
  for (const certificate of [tier1, client]) {
    expect(await ask(started.url, { cert: certificate.cert, key: certificate.key, headers })).toBe(200);
    const session = connectHttp2(started.url, { ca: authority.cert, cert: certificate.cert, key: certificate.key });
    expect((await fetchHttp2(session, { ':path': '/topics', ...headers })).status).toBe(200);
    session.close();
  }
  const seen = target.requests.slice(before).filter(({ url }) => url === '/topics');
  expect(
    seen.map(({ headers }) => [headers['causeway-gateway'], headers['x-forwarded-for'], headers['causeway-failed']]),
  ).toEqual([
    ['tier1, gateway', '198.51.100.7', undefined],
    ['tier1, gateway', '198.51.100.7', undefined],
    ['gateway', '127.0.0.1', undefined],
    ['gateway', '127.0.0.1', undefined],
  ]);
  const impostors = started.gateway.events.recent().filter((event) => event.type === 'impostor');
  expect(impostors).toMatchObject([{ reason: expect.stringContaining('client.example') }]);
});

test.each([
  [
    'listen',
    { listen: { port: 0, tls: { certFile: '/no/such', keyFile: '/no/such' } } },
    /listen\.tls\.certFile cannot be used/,
  ],
  [
    'listeners',
    { listen: undefined, listeners: [{ port: 0, tls: { certFile: '/no/such', keyFile: '/no/such' } }] },
    /listeners\[0\]\.tls\.certFile cannot be used/,
  ],
])('a gateway with files of %s that it cannot use does not start', (_, overrides, reason) => {
  const config = testConfig({ regions: regions({ east: target.url }), ...overrides });
  expect(() => new Gateway({ config, configFile: 'test.yaml' })).toThrow(reason);
});

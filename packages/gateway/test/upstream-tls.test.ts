/** A gateway whose targets speak TLS: who is verified, by which name, and what is shown to whom. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { System } from '@causeway/protocol/admin/model.ts';
import { request } from 'undici';
import { beforeAll, expect, test } from 'vitest';
import { type CertifiedKey, TestAuthority } from '../../../test/harness/certificates.ts';
import { valueIn } from '../../../test/harness/exposition.ts';
import { TEST_TOKEN, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { dnsServer } from './discovery-fixture.ts';
import { gateway, upstream } from './fixture.ts';

let authority: TestAuthority;
let foreign: TestAuthority;
/** Of the gateway. */
let own: CertifiedKey;

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-upstream-tls-'));
  authority = await TestAuthority.create(directory, 'system-authority');
  foreign = await TestAuthority.create(directory, 'foreign-authority');
  own = await authority.certify('gateway', { dns: ['tier1.example'] });
  return () => rmSync(directory, { recursive: true });
});

/** What a target of the system serves with: it demands certificates of the system's authority. */
async function demanding(names: { dns?: string[]; ip?: string[] }): Promise<ServerOptions> {
  const certified = await authority.certify('target', names);
  return { ...certified, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
}

const tlsOf = ({ certFile, keyFile }: CertifiedKey, more: object = {}): object => ({
  caFile: authority.certFile,
  certFile,
  keyFile,
  ...more,
});

test('requests, probes and the admin API reach targets that demand a certificate', async () => {
  const tls = await demanding({ ip: ['127.0.0.1'] });
  const east = await upstream(answerJson({ events: [], consumers: [], total: 0, matching: 0, incomplete: [] }), tls);
  const health = await upstream(undefined, tls);
  const gw = await gateway({
    regions: [{ name: 'east', targets: [{ url: east.url, healthUrl: health.url, adminUrl: east.url }] }],
    upstream: { tls: tlsOf(own) },
  });
  expect((await request(`${gw.url}/topics`)).statusCode).toBe(200);
  expect((await request(`${gw.adminUrl}/api/regions/east/config`)).statusCode).toBe(200);
  expect((await request(`${gw.adminUrl}/api/consumers`)).statusCode).toBe(200);
  const paths = east.requests.map(({ url }) => url.split('?')[0]);
  expect(paths).toEqual(expect.arrayContaining(['/topics', '/api/config', '/api/consumers', '/api/topology']));
});

test('serverName replaces the host of every URL of a target', async () => {
  const named = async (name: string): Promise<{ url: string; adminUrl: string; serverName: string }> => {
    const { url } = await upstream(answerJson({ name }), await demanding({ dns: [name] }));
    return { url, adminUrl: url, serverName: name };
  };
  const one = await named('one.example');
  const two = await named('two.example');
  const regionsOf = (...list: object[]): object[] =>
    list.map((target, index) => ({ name: `r${index}`, targets: [target] }));
  const gw = await gateway({
    // The second has the name of the section.
    regions: regionsOf(one, { url: two.url, adminUrl: two.url }),
    upstream: { tls: tlsOf(own, { serverName: 'two.example' }) },
  });
  const relayed = await Promise.all(
    ['r0', 'r1'].map(async (region) => (await request(`${gw.adminUrl}/api/regions/${region}/config`)).body.json()),
  );
  expect(relayed).toEqual([{ name: 'one.example' }, { name: 'two.example' }]);
  // On a busy machine a probe may be late, and a target unhealthy for a moment.
  const healthy = gw.gateway.events
    .recent()
    .flatMap((event) => (event.type === 'health' && event.to === 'healthy' ? [event.target] : []));
  expect(new Set(healthy).size).toBe(2);
});

test('changed files that cannot be used are a problem of the gateway, until they are mended', async () => {
  const target = await upstream(undefined, await demanding({ ip: ['127.0.0.1'] }));
  const renewed = await authority.certify('renewed', { dns: ['tier1.example'] });
  const gw = await gateway({
    regions: [{ name: 'east', targets: [{ url: target.url }] }],
    upstream: { tls: tlsOf(renewed) },
  });
  const system = async (): Promise<System> =>
    (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as System;
  const problems = (): unknown[] =>
    gw.gateway.events.recent().flatMap((event) => (event.type === 'certificate' ? [event.problem] : []));
  const good = await system();
  expect([good.state, good.upstreamTls]).toEqual([
    'up',
    { notAfter: expect.stringMatching(/^20/), expiresSoon: false, problem: null },
  ]);
  writeFileSync(renewed.keyFile, own.key);
  await until('the files are refused', () => problems().length === 1);
  const problem = expect.stringMatching(/^upstream\.tls\.keyFile: .* is not the key of the certificate in /);
  expect(problems()).toEqual([problem]);
  const bad = await system();
  expect([bad.state, bad.upstreamTls?.problem, bad.summary]).toEqual([
    'degraded',
    problem,
    expect.stringContaining('is not the key'),
  ]);
  const metrics = await (await request(`${gw.adminUrl}/metrics`)).body.text();
  expect(valueIn(metrics, 'causeway_upstream_certificate_usable')).toBe(0);
  expect(valueIn(metrics, 'causeway_upstream_certificate_reloads_total', { outcome: 'refused' })).toBe(1);
  expect(valueIn(metrics, 'causeway_upstream_certificate_expiry_timestamp_seconds')).toBeGreaterThan(
    Date.now() / 1_000,
  );
  writeFileSync(renewed.keyFile, renewed.key);
  await until('the files are in use', () => problems().length === 2);
  expect([problems()[1], (await system()).state]).toEqual([null, 'up']);
});

test('a reload gives the gateway the certificate that a target demands', async () => {
  const east = await upstream(undefined, await demanding({ dns: ['east.example'] }));
  const regions = [{ name: 'east', targets: [{ url: east.url, serverName: 'east.example' }] }];
  const gw = await gateway({ regions, upstream: { tls: { caFile: authority.certFile } } });
  const flips = (): unknown[] =>
    gw.gateway.events.recent().flatMap((event) => (event.type === 'health' ? [event.reason] : []));
  expect(flips()).toEqual(['probe failed: it demands a certificate of the gateway']);
  gw.gateway.reload(testConfig({ regions, upstream: { tls: tlsOf(own) } }));
  await until('east is up', () => flips().at(-1) === 'probe succeeded');
  expect((await request(`${gw.url}/topics`)).statusCode).toBe(200);
});

test('a process of another authority at the address of a target gets no request and no token', async () => {
  const certified = await foreign.certify('stranger', { ip: ['127.0.0.1'] });
  const stranger = await upstream(undefined, certified);
  const gw = await gateway({
    regions: [{ name: 'east', targets: [{ url: stranger.url, adminUrl: stranger.url }] }],
    upstream: { tls: tlsOf(own) },
  });
  const refused = await request(`${gw.url}/topics`);
  expect([refused.statusCode, await refused.body.text()]).toEqual([
    502,
    expect.stringContaining('region east: its certificate is signed by an unknown authority'),
  ]);
  const relayed = await request(`${gw.adminUrl}/api/regions/east/topics`, {
    headers: { authorization: `Bearer ${TEST_TOKEN}` },
  });
  expect([relayed.statusCode, await relayed.body.text()]).toEqual([
    502,
    expect.stringContaining('did not respond: its certificate is signed by an unknown authority'),
  ]);
  const system = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as System;
  expect(system.regions[0]?.targets[0]?.behindError).toBe('its certificate is signed by an unknown authority');
  expect(stranger.requests).toEqual([]);
});

test('the certificates of targets by DNS must have the name, without labels of services, unless they have a serverName', async () => {
  const dns = await dnsServer();
  dns.set('bridge.example', ['127.0.0.1']);
  const reach = async (certified: string, target: Record<string, unknown>): Promise<string> => {
    const { port } = await upstream(answerJson({ events: [] }), await demanding({ dns: [certified] }));
    const admin = await upstream(answerJson({}));
    dns.setServices('_https._tcp.bridge.example', [{ host: 'bridge.example', port }]);
    const ports =
      target['dns'] === 'bridge.example' ? { port, adminPort: port } : { adminPort: admin.port, adminScheme: 'http' };
    const gw = await gateway({
      regions: [{ name: 'east', targets: [{ scheme: 'https', ...ports, ...target }] }],
      upstream: { tls: tlsOf(own) },
      discovery: { refreshMs: 20, timeoutMs: 20_000, servers: [dns.address] },
    });
    const topology = async () => (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as System;
    await until('it is probed', async () => {
      const [found] = (await topology()).regions[0]?.targets ?? [];
      return found !== undefined && found.health.status !== 'unknown';
    });
    const [found] = (await topology()).regions[0]?.targets ?? [];
    if (found?.health.status !== 'healthy') return found?.health.reason ?? '';
    expect((await request(`${gw.adminUrl}/api/regions/east/config`)).statusCode).toBe(200);
    return 'healthy';
  };
  expect(await reach('bridge.example', { dns: 'bridge.example' })).toBe('healthy');
  expect(await reach('bridge.example', { dns: '_https._tcp.bridge.example' })).toBe('healthy');
  expect(await reach('other.example', { dns: 'bridge.example', serverName: 'other.example' })).toBe('healthy');
  expect(await reach('other.example', { dns: 'bridge.example' })).toMatch(/certificate/);
});

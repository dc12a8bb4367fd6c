/** A client on another host: no header makes it a gateway or a proxy at any tier, and its certificate makes it a gateway where that is listed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyNoRegionNetwork } from '@causeway/lab/stack/region-network.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { TestBridge } from './harness/bridge.ts';
import { TestAuthority } from './harness/certificates.ts';
import { regions, startGateway, type TestGateway } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';
import { type HostRequest, OtherHost } from './harness/other-host.ts';
import { FORGED, PROOF, TEST_TRUST } from './harness/trust.ts';

const whyNot = whyNoRegionNetwork();
if (whyNot !== undefined) console.info(`skipped: ${whyNot}`);

const EVERYWHERE = { listen: { host: '0.0.0.0', port: 0 } };
const JSON_BODY = { 'content-type': 'application/vnd.kafka.v2+json' };

describe.skipIf(whyNot !== undefined)('from another host', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-elsewhere-'));
  const closers: (() => unknown)[] = [];
  let host: OtherHost;

  beforeAll(() => {
    host = OtherHost.create();
    closers.push(() => host.close());
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
    rmSync(directory, { recursive: true });
  });

  /** As the other host reaches it. */
  const reached = (url: string): string => url.replace(/\/\/[^:]+:/, `//${host.serverAddress}:`);

  async function startBridge(overrides: Record<string, object>): Promise<TestBridge> {
    const bridge = await TestBridge.start(inject('kafkaBootstrap'), { ...EVERYWHERE, ...overrides });
    closers.push(() => bridge.close());
    return bridge;
  }

  async function start(overrides: Record<string, unknown>): Promise<TestGateway> {
    const gateway = await startGateway({ ...EVERYWHERE, ...overrides });
    closers.push(() => gateway.close());
    return gateway;
  }

  const NONE = { proxies: [], peers: [] };

  test.each([
    ['trusts no sender, as by default', NONE, NONE],
    ['trusts its own host with the secret, as in the lab', TEST_TRUST, TEST_TRUST],
  ])('forged headers have no effect on a system that %s, not even with its secret', async (_, trust, behind) => {
    const bridge = await startBridge({ trust: behind });
    const local = (url: string): string => url.replace(/\/\/[^:]+:/, '//127.0.0.1:');
    const regional = await start({
      gateway: { name: 'inner', region: 'east' },
      regions: regions({ east: local(bridge.url) }),
      trust,
    });
    const tier1 = await start({ regions: regions({ east: local(regional.url) }), trust });
    const headers = { ...FORGED, ...PROOF };
    for (const base of [bridge.url, regional.url, tier1.url].map(reached)) {
      const group = unique('elsewhere');
      const [created, sessions, ready, subscribed, polled] = await host.send([
        {
          url: `${base}/consumers/${group}`,
          method: 'POST',
          headers: { ...headers, ...JSON_BODY },
          body: JSON.stringify({ name: 'c', format: 'json' }),
        },
        { url: `${base}/causeway-sessions`, headers },
        { url: `${base}/ready`, headers },
        {
          url: `${base}/consumers/${group}/instances/c/subscription`,
          method: 'POST',
          headers: { ...headers, ...JSON_BODY },
          body: JSON.stringify({ topics: [unique('topic')] }),
        },
        // A release or a failed owner would move the consumer: 421, or an adoption.
        { url: `${base}/consumers/${group}/instances/c/records?timeout=1`, headers },
      ]);
      expect([created?.status, sessions?.status]).toEqual([200, 404]);
      const { base_uri } = JSON.parse(created?.text ?? '');
      // Where no sender is trusted, the bridge learns the name of the gateway before it alone.
      const expected =
        trust === NONE ? /^http:\/\/(?:127\.0\.0\.1|10\.204\.)/ : new RegExp(`^${base}/consumers/${group}/`);
      expect(base_uri).toMatch(expected);
      expect([subscribed?.status, polled?.status, polled?.text]).toEqual([204, 200, '[]']);
      for (const response of [created, sessions, ready, subscribed, polled]) {
        expect(Object.keys(response?.headers ?? {}).filter((name) => name.startsWith('causeway-'))).toEqual([]);
        expect(response?.text).not.toContain('evil');
      }
    }
  });

  test('a listed certificate makes a gateway, and no other certificate of the same authority does', async () => {
    const authority = await TestAuthority.create(directory);
    const { certFile, keyFile } = await authority.certify('bridge', { ip: [host.serverAddress] });
    const bridge = await startBridge({
      listen: {
        host: '0.0.0.0',
        port: 0,
        tls: { certFile, keyFile, clientCaFile: authority.certFile, clientCertificates: 'request' },
      },
      trust: { peers: ['spiffe://causeway.example/gateway'] },
    });
    const gateway = await authority.certify('gateway', { uri: ['spiffe://causeway.example/gateway'] });
    const client = await authority.certify('client', { uri: ['spiffe://causeway.example/client'] });
    const ask = (certificate: { cert?: string; key?: string }): HostRequest => ({
      url: `${reached(bridge.url)}/openapi`,
      headers: { ...FORGED, ...PROOF },
      tls: {
        ca: authority.cert,
        ...(certificate.cert === undefined ? {} : { cert: certificate.cert }),
        ...(certificate.key === undefined ? {} : { key: certificate.key }),
      },
    });
    const responses = await host.send([ask(gateway), ask(client), ask({})]);
    expect(responses.map(({ text }) => JSON.parse(text).basePath === '/evil')).toEqual([true, false, false]);
    expect(responses.map(({ headers }) => headers['causeway-bridge'])).toEqual([
      'east/test-bridge',
      undefined,
      undefined,
    ]);
  });
});

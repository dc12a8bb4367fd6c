/** Gateways whose targets name each other: a request that goes round in a circle ends, and no client can bring that about. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../test/harness/gateway.ts';
import { PROOF, TEST_TRUST } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream } from '../../../test/harness/upstream.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

const STRANGERS = { proxies: [], peers: [] };

/** Each one's only target is the next one, and the last one's the first. */
async function startRing(size: number, trust: object): Promise<TestGateway[]> {
  const ports = await findFreePorts(size);
  const gateways: TestGateway[] = [];
  for (const [index, port] of ports.entries()) {
    const gateway = await startGateway({
      gateway: { name: `gateway-${index}` },
      listen: { port },
      regions: regions({ next: `http://127.0.0.1:${ports[(index + 1) % size]}` }),
      trust,
      // Whether they are ready would go round in a circle, too.
      healthCheck: { path: '/healthy', intervalMs: 50, timeoutMs: 2_000, rise: 1, fall: 2 },
    });
    gateways.push(gateway);
    cleanUp.push(() => gateway.close());
  }
  await until('each takes the next one for well', () =>
    gateways.every(({ gateway }) =>
      gateway.events.recent().some((event) => event.type === 'health' && event.to === 'healthy'),
    ),
  );
  return gateways;
}

async function requestCount({ adminUrl }: TestGateway): Promise<number> {
  const text = await (await request(`${adminUrl}/metrics`)).body.text();
  const counts = text.matchAll(/^causeway_requests_total\{.*operation="listTopics".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

const FORGED: [string, Record<string, string>][] = [
  ['no headers', {}],
  ['Max-Forwards', { 'max-forwards': '1000' }],
  ['Via, emptied', { via: '' }],
  ['Via of others', { via: '1.1 a, 1.1 b, 1.1 c, 1.1 d, 1.1 e, 1.1 gateway-0' }],
  ['causeway-gateway, emptied', { 'causeway-gateway': '' }],
];

describe.each([
  ['that take each other for clients', STRANGERS, 2],
  ['that are peers', TEST_TRUST, 2],
  ['three in a ring', STRANGERS, 3],
  ['six in a ring, that are peers', TEST_TRUST, 6],
] as const)('gateways %s', (_, trust, size) => {
  test('answer 508 after one round at most, whatever the client sends', async () => {
    const ring = await startRing(size, trust);
    const [first] = ring as [TestGateway];
    for (const [, headers] of FORGED) {
      const counts = (): Promise<number[]> => Promise.all(ring.map(requestCount));
      const before = (await counts()).reduce((sum, count) => sum + count, 0);
      const { statusCode, body } = await request(`${first.url}/topics`, { headers });
      expect(statusCode).toBe(508);
      expect(await body.json()).toMatchObject({
        error_code: 508,
        message: expect.stringMatching(/^The request goes round in a circle between gateways: it has passed /),
      });
      const after = (await counts()).reduce((sum, count) => sum + count, 0);
      expect(after - before).toBeLessThanOrEqual(size + 1);
    }
    // No target counts as unhealthy.
    const opened = ring.flatMap(({ gateway }) => gateway.events.recent().filter(({ type }) => type === 'breaker'));
    expect(opened).toEqual([]);
  });
});

describe('a client', () => {
  let upstream: Upstream;

  async function start(): Promise<TestGateway> {
    upstream = await startUpstream(answerJson([]));
    cleanUp.push(() => upstream.kill());
    const inner = await startGateway({
      gateway: { name: 'inner', region: 'east' },
      regions: regions({ east: upstream.url }),
    });
    cleanUp.push(() => inner.close());
    const outer = await startGateway({ regions: regions({ east: inner.url }), trust: { ...TEST_TRUST, peers: [] } });
    cleanUp.push(() => outer.close());
    return outer;
  }

  test('cannot be taken for a loop, nor learns what would be', async () => {
    const { url } = await start();
    const seen = (): string => String(upstream.requests.at(-1)?.headers.via);
    for (const [, headers] of [
      ...FORGED,
      ['a long Via', { via: Array.from({ length: 100 }, (_, index) => `1.1 hop${index}`).join(', ') }],
      ['many gateways', { 'causeway-gateway': 'a, b, c, d, e, f, g', ...PROOF }],
    ] as [string, Record<string, string>][]) {
      const { statusCode, headers: answered, body } = await request(`${url}/topics`, { headers });
      expect([statusCode, await body.text()]).toEqual([200, '[]']);
      const instances = seen().match(/\.[0-9a-f]{16}/g) ?? [];
      expect(instances).toHaveLength(2);
      for (const instance of instances) expect(JSON.stringify(answered)).not.toContain(instance);
    }
  });
});

describe('the relay of the admin API', () => {
  test('goes through two gateways, and answers 508 to paths through more, in whatever spelling', async () => {
    const [first, second] = (await startRing(2, TEST_TRUST)) as [TestGateway, TestGateway];
    for (const [gateway, next] of [
      [first, second],
      [second, first],
    ] as const) {
      const { config } = gateway.gateway;
      const [region] = config.regions;
      const [target] = region?.targets ?? [];
      if (region === undefined || target === undefined) throw new Error('no region');
      const targets = [{ ...target, adminUrl: next.adminUrl }];
      gateway.gateway.reload({ ...config, regions: [{ ...region, targets }] });
    }
    const ask = async (path: string): Promise<number> => {
      const headers = { authorization: `Bearer ${TEST_TOKEN}` };
      const { statusCode, body } = await request(`${first.adminUrl}/api${path}`, { headers });
      await body.dump();
      return statusCode;
    };
    expect(await ask('/regions/next/config')).toBe(200);
    expect(await ask('/regions/next/regions/next/config')).toBe(200);
    for (const hops of [3, 4, 40, 300]) {
      expect(await ask(`${'/regions/next'.repeat(hops)}/config`)).toBe(508);
      expect(await ask(`${'/regions/next'.repeat(hops)}/config?a=b`)).toBe(508);
    }
    expect(await ask('/regions/next/%72egions/next/regions/nex%74/config')).toBe(508);
    expect(await ask('/regions/next/regions%2Fnext%2Fregions%2Fnext/config')).toBe(508);
  });
});

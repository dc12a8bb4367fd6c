/**
 * Requests that reach a bridge that does not own their consumer: followed, taken over, and moved. The upstreams take the place of
 * bridges and share the ownership as real ones do through Kafka; real bridges are in test/e2e.
 */
import { parseList } from '@causeway/protocol/routing.ts';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { regions, startGateway, TEST_TOKEN, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { PROOF, TEST_TRUST } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../test/harness/upstream.ts';

const pollOf = (instance: string): string => `/consumers/g/instances/${instance}/records?timeout=1000`;
const POLL = pollOf('c');

/** The owner of the one consumer of these tests; undefined: it has none. */
interface Ownership {
  owner: string | undefined;
  /** Polls that a bridge does not answer are held here. */
  isHolding: boolean;
}

async function startBridge(name: string, ownership: Ownership): Promise<Upstream> {
  const upstream = await startUpstream((received, response) => {
    const failed = parseList(received.headers['causeway-failed'] as string | undefined);
    const isOwner = ownership.owner === name;
    if (isOwner && received.headers['causeway-release'] !== undefined) {
      ownership.owner = undefined;
      response.writeHead(421).end();
    } else if (isOwner || ownership.owner === undefined || failed.includes(ownership.owner)) {
      ownership.owner = name;
      if (ownership.isHolding) return;
      response.writeHead(200, { 'content-type': 'application/json', 'causeway-bridge': name }).end(`["${name}"]`);
    } else {
      response.writeHead(421, { 'causeway-owner': ownership.owner }).end();
    }
  });
  upstream.bridge = name;
  return upstream;
}

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

function keep<Value extends { close(): Promise<void> } | { kill(): Promise<void> }>(value: Value): Value {
  cleanUp.push(() => ('close' in value ? value.close() : value.kill()));
  return value;
}

interface System {
  east: Upstream;
  west: Upstream;
  ownership: Ownership;
}

async function startBridges(owner?: string): Promise<System> {
  const ownership: Ownership = { owner, isHolding: false };
  const east = keep(await startBridge('east/bridge', ownership));
  const west = keep(await startBridge('west/bridge', ownership));
  return { east, west, ownership };
}

async function startTier1({ east, west }: System, options: Record<string, unknown> = {}): Promise<TestGateway> {
  return keep(await startGateway({ regions: regions({ east: east.url, west: west.url }), ...options }));
}

interface Polled {
  status: number;
  by: string;
  headers: Record<string, unknown>;
}

async function poll(url: string, instance = 'c'): Promise<Polled> {
  const { statusCode, body, headers } = await request(`${url}${pollOf(instance)}`);
  const text = await body.text();
  return { status: statusCode, by: statusCode === 200 ? (JSON.parse(text)[0] as string) : text, headers };
}

const post = async (url: string): Promise<number> => {
  const headers = { authorization: `Bearer ${TEST_TOKEN}` };
  const { statusCode, body } = await request(url, { method: 'POST', headers });
  await body.dump();
  return statusCode;
};

describe.each(['east', 'west'] as const)('a consumer that %s owns', (owner) => {
  test('is found by a gateway that does not know it, and then reached straight away', async () => {
    const system = await startBridges(`${owner}/bridge`);
    const { url } = await startTier1(system);
    expect(await poll(url)).toMatchObject({ status: 200, by: `${owner}/bridge` });
    const other = owner === 'east' ? system.west : system.east;
    const misdirectedCount = other.requests.length;
    expect(misdirectedCount).toBeLessThanOrEqual(1);
    expect(await poll(url)).toMatchObject({ status: 200, by: `${owner}/bridge` });
    expect(other.requests).toHaveLength(misdirectedCount);
  });

  test('does not bounce when a client uses two gateways in turn', async () => {
    const system = await startBridges(`${owner}/bridge`);
    const gateways = [await startTier1(system), await startTier1(system)];
    for (let turn = 0; turn < 6; turn += 1) {
      expect(await poll(gateways[turn % 2]?.url ?? '')).toMatchObject({ status: 200, by: `${owner}/bridge` });
    }
    const all = [...system.east.requests, ...system.west.requests];
    expect(all.some(({ headers }) => headers['causeway-failed'] !== undefined)).toBe(false);
  });

  test('is taken over by the other region when its own is dead', async () => {
    const system = await startBridges(`${owner}/bridge`);
    const [dead, alive, adopter] =
      owner === 'east' ? [system.east, system.west, 'west/bridge'] : [system.west, system.east, 'east/bridge'];
    await dead.kill();
    const { url } = await startTier1(system);
    expect(await poll(url)).toMatchObject({ status: 200, by: adopter });
    expect(alive.requests.map(({ headers }) => headers['causeway-failed'])).toEqual([undefined, `${owner}/bridge`]);
  });

  test('is taken over without a detour when its region dies during a poll', async () => {
    const system = await startBridges(`${owner}/bridge`);
    const [dying, alive] = owner === 'east' ? [system.east, system.west] : [system.west, system.east];
    const { url } = await startTier1(system);
    await poll(url);
    const alreadyAsked = alive.requests.length;
    system.ownership.isHolding = true;
    const waiting = poll(url);
    await until('the poll waits', () => dying.requests.length >= 2);
    system.ownership.isHolding = false;
    await dying.kill();
    expect(await waiting).toMatchObject({ status: 200 });
    expect(alive.requests.slice(alreadyAsked).map(({ headers }) => headers['causeway-failed'])).toEqual([
      `${owner}/bridge`,
    ]);
  });
});

test.each(['c0', 'c1', 'c2', 'c3', 'c4', 'c5'])(
  '%s, whose owner has just died, is taken over wherever it is looked for',
  async (instance) => {
    const system = await startBridges('west/bridge');
    // Requests find out before probes do.
    const { url } = await startTier1(system, { healthCheck: { fall: 100 } });
    await system.west.kill();
    expect(await poll(url, instance)).toMatchObject({ status: 200, by: 'east/bridge' });
    expect(system.east.requests.at(-1)?.headers['causeway-failed']).toBe('west/bridge');
  },
);

test('clients see nothing of it', async () => {
  const { url } = await startTier1(await startBridges('east/bridge'));
  const { headers } = await poll(url);
  expect(Object.keys(headers).filter((name) => name.startsWith('causeway-'))).toEqual([]);
});

test.each([
  ['an address that is not listed, whatever it shows', { peers: [] }, PROOF],
  ['a listed address without the secret', {}, {}],
  ['a listed address with another secret', {}, { 'causeway-secret': 'x'.repeat(PROOF['causeway-secret'].length) }],
])('a client from %s can neither take a consumer over nor release it', async (_, trust, proof) => {
  const system = await startBridges('east/bridge');
  const { url } = await startTier1(system, { trust: { ...TEST_TRUST, ...trust } });
  for (const headers of [{ 'causeway-failed': 'east/bridge' }, { 'causeway-release': 'drain' }]) {
    const { body } = await request(`${url}${POLL}`, { headers: { 'causeway-gateway': 'tier1', ...proof, ...headers } });
    expect(await body.text()).toBe('["east/bridge"]');
  }
  expect(system.ownership.owner).toBe('east/bridge');
});

test('bridges that keep naming each other end in 503 with Retry-After, and in few requests', async () => {
  const system = await startBridges();
  for (const [upstream, other] of [
    [system.east, 'west/bridge'],
    [system.west, 'east/bridge'],
  ] as const) {
    upstream.handle = (_, response) => response.writeHead(421, { 'causeway-owner': other }).end();
  }
  const { url } = await startTier1(system);
  const { status, by, headers } = await poll(url);
  expect(status).toBe(503);
  expect(by).toContain('The consumer is being moved to another bridge; try again.');
  expect(headers['retry-after']).toBe('1');
  expect(system.east.requests.length + system.west.requests.length).toBeLessThan(10);
});

describe('two tiers', () => {
  /** A gateway in each region in front of its bridge, the other region's gateway behind it, tier-1 above. */
  async function startTiers(system: System): Promise<{ tier1: TestGateway; east: TestGateway; west: TestGateway }> {
    const settings = { gateway: { name: 'gateway', region: 'west' } };
    // The gateways name each other: west starts first without east's address, and gets it by a reload.
    const west = keep(await startGateway({ ...settings, regions: regions({ west: system.west.url }) }));
    const east = keep(
      await startGateway({
        gateway: { name: 'gateway', region: 'east' },
        regions: [
          { name: 'east', targets: [{ url: system.east.url }] },
          { name: 'west', priority: 1, targets: [{ url: west.url }] },
        ],
      }),
    );
    const tier1 = keep(await startGateway({ regions: regions({ east: east.url, west: west.url }) }));
    return { tier1, east, west };
  }

  test.each(['east/bridge', 'west/bridge'])('tier-1 finds a consumer of %s', async (owner) => {
    const { tier1 } = await startTiers(await startBridges(owner));
    for (let turn = 0; turn < 2; turn += 1) expect(await poll(tier1.url)).toMatchObject({ status: 200, by: owner });
  });

  test('a regional gateway without one above it follows by itself', async () => {
    const { east } = await startTiers(await startBridges('west/bridge'));
    expect(await poll(east.url)).toMatchObject({ status: 200, by: 'west/bridge' });
  });

  test('a dead owner is reported through both tiers', async () => {
    const system = await startBridges('west/bridge');
    await system.west.kill();
    const { tier1, east } = await startTiers(system);
    expect(await poll(tier1.url)).toMatchObject({ status: 200, by: 'east/bridge' });
    expect(await poll(east.url)).toMatchObject({ status: 200, by: 'east/bridge' });
  });

  test('a region whose bridge is dead hands its consumers to the other region, and tier-1 then goes there', async () => {
    const system = await startBridges('east/bridge');
    const { tier1 } = await startTiers(system);
    expect(await poll(tier1.url)).toMatchObject({ by: 'east/bridge' });
    await system.east.kill();
    expect(await poll(tier1.url)).toMatchObject({ status: 200, by: 'west/bridge' });
    expect(await poll(tier1.url)).toMatchObject({ status: 200, by: 'west/bridge' });
    expect(system.west.requests.at(-1)?.headers['causeway-gateway']).toBe('gateway, west/gateway');
  });
});

describe('several gateways of a region', () => {
  /** Both lead to two bridges; tier-1 may leave the region for west. */
  async function startTwins(owner: string) {
    const ownership: Ownership = { owner, isHolding: false };
    const bridges = [
      keep(await startBridge('east/b0', ownership)),
      keep(await startBridge('east/b1', ownership)),
      keep(await startBridge('west/bridge', ownership)),
    ] as const;
    const [b0, b1, west] = bridges;
    const startOne = async (name: string): Promise<TestGateway> => {
      const targets = [{ url: b0.url }, { url: b1.url }];
      return keep(await startGateway({ gateway: { name, region: 'east' }, regions: [{ name: 'east', targets }] }));
    };
    const twins = [await startOne('g0'), await startOne('g1')] as const;
    const settings = (urls: readonly string[]) => ({
      // Requests find out before probes do.
      healthCheck: { fall: 100 },
      regions: [
        { name: 'east', targets: urls.map((url) => ({ url })) },
        { name: 'west', targets: [{ url: west.url }] },
      ],
    });
    const tier1 = keep(await startGateway(settings(twins.map(({ url }) => url))));
    return { bridges, twins, tier1, settings };
  }

  // Hashes of ports decide which gateway and which bridge gets a consumer that has no home: some of these are affected.
  const consumers = Array.from({ length: 16 }, (_, number) => `c${number}`);

  test.each(['dies', 'leaves'])('consumers stay with their bridge when a gateway that led to it %s', async (event) => {
    const { bridges, twins, tier1, settings } = await startTwins('east/b0');
    const owners = async (): Promise<string[]> => {
      const answers: string[] = [];
      for (const consumer of consumers) answers.push((await poll(tier1.url, consumer)).by);
      return [...new Set(answers)];
    };
    expect(await owners()).toEqual(['east/b0']);
    const [left, kept] = twins;
    if (event === 'dies') await left.close();
    else tier1.gateway.reload(testConfig(settings([kept.url])));
    expect(await owners()).toEqual(['east/b0']);
    const all = bridges.flatMap(({ requests }) => requests);
    expect(all.filter(({ headers }) => headers['causeway-failed'] !== undefined)).toEqual([]);
  });
});

describe('orderly moves', () => {
  test('a drained region lets its consumer go at its next poll, and undrained it gets work again', async () => {
    const system = await startBridges('east/bridge');
    const { url, adminUrl } = await startTier1(system);
    expect(await poll(url)).toMatchObject({ by: 'east/bridge' });
    expect(await post(`${adminUrl}/api/regions/east/drain`)).toBe(200);
    expect(await poll(url)).toMatchObject({ status: 200, by: 'west/bridge' });
    expect(system.east.requests.at(-1)?.headers['causeway-release']).toBe('drain');
    expect(system.west.requests.at(-1)?.headers['causeway-failed']).toBeUndefined();
    expect(await post(`${adminUrl}/api/regions/west/drain`)).toBe(409);
    expect(await post(`${adminUrl}/api/regions/east/undrain`)).toBe(200);
    expect(await post(`${adminUrl}/api/regions/north/drain`)).toBe(404);
    // It stays where it is.
    expect(await poll(url)).toMatchObject({ by: 'west/bridge' });
  });

  test('weight 0 does the same', async () => {
    const system = await startBridges('east/bridge');
    const { url } = await startTier1(system, {
      regions: regions({ east: system.east.url, west: system.west.url }, { east: 0 }),
    });
    await until('the consumer has moved', async () => (await poll(url)).by === 'west/bridge');
    expect(system.west.requests.some(({ headers }) => headers['causeway-failed'] !== undefined)).toBe(false);
  });

  test.each([
    ['goes home once its region has been healthy for returnAfterMs', 2_000, true],
    ['stays where it is without returnAfterMs', 0, false],
  ])('a consumer that a failure moved %s', async (_, returnAfterMs, isReturning) => {
    const system = await startBridges();
    const { url, gateway } = await startTier1(system, { affinity: { returnAfterMs } });
    const home = (await poll(url)).by;
    const upstream = home === 'east/bridge' ? system.east : system.west;
    await upstream.kill();
    const away = home === 'east/bridge' ? 'west/bridge' : 'east/bridge';
    expect(await poll(url)).toMatchObject({ status: 200, by: away });
    // One that recovers before it was declared down has been healthy since the request that failed.
    await until('the failure is seen', () =>
      gateway.events
        .recent()
        .some((event) => event.type === 'health' && event.target === upstream.url && event.to === 'unhealthy'),
    );
    const revivedMs = performance.now();
    await upstream.revive();
    const seen = new Set<string>();
    await until('the consumer is home, or had time for it', async () => {
      const { status, by } = await poll(url);
      expect(status).toBe(200);
      seen.add(by);
      return isReturning ? by === home : performance.now() - revivedMs > 700;
    });
    expect(seen).toContain(away);
    expect(seen.has(home)).toBe(isReturning);
    if (isReturning) expect(performance.now() - revivedMs).toBeGreaterThanOrEqual(returnAfterMs);
    expect(upstream.requests.every(({ headers }) => headers['causeway-failed'] === undefined)).toBe(true);
  });
});

test('a response 421 that the client reads already is not followed', async () => {
  const { east, west } = await startBridges();
  east.handle = (_, response) => response.writeHead(421, { 'causeway-owner': 'west/bridge' }).end('x'.repeat(5_000));
  const gateway = keep(
    await startGateway({
      regions: regions({ east: east.url, west: west.url }, { west: 0 }),
      response: { bufferBytes: 1_000 },
    }),
  );
  const answer = await request(`${gateway.url}${POLL}`);
  expect(answer.statusCode).toBe(421);
  expect(await answer.body.text()).toHaveLength(5_000);
  expect([east.requests.length, west.requests.length]).toEqual([1, 0]);
});

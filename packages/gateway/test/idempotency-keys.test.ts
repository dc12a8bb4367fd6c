/**
 * Produce requests with an idempotency key: they go to the owner of their key's slot, and are repeated. The upstreams take the
 * place of bridges that own slots and share answers, as real ones do through Kafka; real bridges are in test/e2e.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayOptions } from '@causeway/gateway/gateway.ts';
import { IDEMPOTENCY_KEY_HEADER, keyIdentity, readKeyHeader, slotOf } from '@causeway/protocol/idempotency.ts';
import { parsePrincipal } from '@causeway/protocol/principal.ts';
import { PRINCIPAL_HEADER, parseList } from '@causeway/protocol/routing.ts';
import fc from 'fast-check';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { regions, TEST_TOKEN, type TestGateway } from '../../../test/harness/gateway.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import type { Upstream, UpstreamRequest } from '../../../test/harness/upstream.ts';
import { gateway, produce, rawExchange, upstream } from './fixture.ts';

const TYPE = { 'content-type': 'application/vnd.kafka.json.v2+json' };

/** What Kafka has in common for all bridges. */
interface Kafka {
  owners: Map<number, string>;
  /** Slots that a gateway had released, by the bridge that had them: it takes none of them until another bridge has. */
  released: Map<number, string>;
  /** Bodies by identity of the key, as they were stored. */
  stored: Map<string, string>;
  storedCount: number;
  /** Bridges that store, and send no response. */
  mute: Set<string>;
}

function slotOfRequest({ headers }: UpstreamRequest): { identity: string; slot: number } | undefined {
  const read = readKeyHeader(headers[IDEMPOTENCY_KEY_HEADER]);
  if (read.kind !== 'key') return undefined;
  const identity = keyIdentity(parsePrincipal(headers[PRINCIPAL_HEADER] as string | undefined), read.key);
  return { identity, slot: slotOf(identity) };
}

async function bridge(name: string, kafka: Kafka): Promise<Upstream> {
  const started = await upstream((received, response) => {
    const keyed = slotOfRequest(received);
    if (keyed === undefined) {
      kafka.storedCount += 1;
      response.writeHead(200, { 'causeway-bridge': name }).end(`{"from":"${name}"}`);
      return;
    }
    const { identity, slot } = keyed;
    const owner = kafka.owners.get(slot);
    const failed = parseList(received.headers['causeway-failed'] as string | undefined);
    if (owner === name && received.headers['causeway-release'] !== undefined) {
      kafka.owners.delete(slot);
      kafka.released.set(slot, name);
      response.writeHead(421).end();
    } else if (owner === undefined && kafka.released.get(slot) === name) {
      response.writeHead(421).end();
    } else if (owner !== undefined && owner !== name && !failed.includes(owner)) {
      response.writeHead(421, { 'causeway-owner': owner }).end();
    } else {
      kafka.owners.set(slot, name);
      kafka.released.delete(slot);
      const isRepeated = kafka.stored.has(identity);
      if (!isRepeated) kafka.storedCount += 1;
      kafka.stored.set(identity, received.body);
      if (kafka.mute.has(name)) return;
      const replayed = isRepeated ? { 'idempotency-replayed': 'true' } : {};
      response.writeHead(200, { 'causeway-bridge': name, ...replayed }).end(`{"from":"${name}"}`);
    }
  });
  started.bridge = name;
  return started;
}

interface System {
  kafka: Kafka;
  east: Upstream;
  west: Upstream;
}

async function system(): Promise<System> {
  const kafka: Kafka = { owners: new Map(), released: new Map(), stored: new Map(), storedCount: 0, mute: new Set() };
  return { kafka, east: await bridge('east/bridge', kafka), west: await bridge('west/bridge', kafka) };
}

function tier1(
  { east, west }: System,
  overrides: Record<string, unknown> = {},
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  return gateway({ regions: regions({ east: east.url, west: west.url }), ...overrides }, options);
}

interface Answer {
  status: number;
  by: string | undefined;
  headers: Record<string, unknown>;
  text: string;
}

async function send(url: string, key: string | undefined, more: Record<string, string> = {}): Promise<Answer> {
  const own: Record<string, string> = key === undefined ? {} : { [IDEMPOTENCY_KEY_HEADER]: key };
  const { statusCode, body, headers } = await request(`${url}/topics/t`, {
    ...produce,
    headers: { ...TYPE, ...own, ...more },
  });
  const text = await body.text();
  return { status: statusCode, by: /"from":"([^"]+)"/.exec(text)?.[1], headers, text };
}

const KEYS = Array.from({ length: 24 }, (_, number) => `key-${number}`);
const slotOfKey = (key: string): number => slotOf(keyIdentity(undefined, key));
/** Other keys of the same slots. */
const renewed = (keys: readonly string[], prefix: string): string[] =>
  keys.map((key) => {
    for (let number = 0; ; number += 1) {
      if (slotOfKey(`${prefix}-${number}-${key}`) === slotOfKey(key)) return `${prefix}-${number}-${key}`;
    }
  });
const keysSeen = ({ requests }: Upstream): (string | string[] | undefined)[] =>
  requests.map(({ headers }) => headers[IDEMPOTENCY_KEY_HEADER]);

async function post(url: string): Promise<number> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_TOKEN}` },
  });
  await body.dump();
  return statusCode;
}

describe('requests with a key', () => {
  test('return to the bridge that named the owner, if that has released the slot meanwhile', async () => {
    const both = await system();
    const { kafka, east } = both;
    const gw = await tier1(both, { admin: { port: 0, token: TEST_TOKEN } });
    expect(await post(`${gw.adminUrl}/api/regions/east/drain`)).toBe(200);
    const [key = ''] = KEYS;
    kafka.owners.set(slotOfKey(key), 'east/bridge');
    const serve = east.handle;
    east.handle = (received, response) => {
      // As another gateway asked it to, whose request came first.
      if (kafka.owners.get(slotOfKey(key)) === 'east/bridge') {
        kafka.owners.delete(slotOfKey(key));
        kafka.released.set(slotOfKey(key), 'east/bridge');
      }
      serve(received, response);
    };
    expect(await send(gw.url, key)).toMatchObject({ status: 200, by: 'west/bridge' });
  });

  test('of one slot have one owner through any gateway, which is then asked straight away', async () => {
    const { kafka, east, west } = await system();
    const gateways = [await tier1({ kafka, east, west }), await tier1({ kafka, east, west })];
    const owners = new Map<number, string | undefined>();
    for (const [number, key] of KEYS.entries()) {
      const { status, by } = await send(gateways[number % 2]?.url ?? '', key);
      expect(status).toBe(200);
      const known = owners.get(slotOfKey(key));
      if (known !== undefined) expect(by).toBe(known);
      owners.set(slotOfKey(key), by);
    }
    // Both have slots, and nothing was asked of two bridges.
    expect(new Set(owners.values()).size).toBe(2);
    expect(east.requests.length + west.requests.length).toBe(KEYS.length);
  });

  test('find an owner that another gateway chose, and do not bounce', async () => {
    const both = await system();
    for (let slot = 0; slot < 32; slot += 1) both.kafka.owners.set(slot, 'east/bridge');
    const gateways = [await tier1(both), await tier1(both)];
    for (let round = 0; round < 2; round += 1) {
      for (const { url } of gateways) {
        for (const key of KEYS) expect(await send(url, key)).toMatchObject({ status: 200, by: 'east/bridge' });
      }
    }
    // Once for each slot and gateway, at most.
    expect(both.west.requests.length).toBeLessThanOrEqual(2 * new Set(KEYS.map(slotOfKey)).size);
    expect(both.west.requests.every(({ headers }) => headers['causeway-failed'] === undefined)).toBe(true);
    expect(both.kafka.storedCount).toBe(KEYS.length);
  });

  test('are repeated when the owner dies with them, also with at-most-once, and are stored once', async () => {
    const both = await system();
    const { url } = await tier1(both, { retry: { produce: 'at-most-once' } });
    for (const key of KEYS) await send(url, key);
    const { east, kafka } = both;
    const before = kafka.storedCount;
    kafka.mute.add('east/bridge');
    const ofEast = KEYS.filter((key) => kafka.owners.get(slotOfKey(key)) === 'east/bridge');
    const waiting = renewed(ofEast, 'late');
    expect(waiting.length).toBeGreaterThan(0);
    const already = east.requests.length;
    const answers = waiting.map((key) => send(url, key));
    await until('they are in flight', () => east.requests.length === already + waiting.length);
    await east.kill();
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ status: 200, by: 'west/bridge', headers: { 'idempotency-replayed': 'true' } });
    }
    expect(kafka.storedCount).toBe(before + waiting.length);
  });

  test('come back to the bridge that named an owner which has just died, and are stored there', async () => {
    const both = await system();
    const { kafka, east, west } = both;
    // Requests find out before probes do.
    const { url } = await tier1(both, { healthCheck: { fall: 100 } });
    for (let slot = 0; slot < 32; slot += 1) kafka.owners.set(slot, 'west/bridge');
    await west.kill();
    for (const key of KEYS) expect(await send(url, key)).toMatchObject({ status: 200, by: 'east/bridge' });
    const failed = east.requests.map(({ headers }) => headers['causeway-failed']);
    // Some asked east first, the others were sent to west.
    expect(new Set(failed)).toEqual(new Set([undefined, 'west/bridge']));
  });

  test('leave an owner that freezes, once probes find it', async () => {
    const both = await system();
    const { east, west, kafka } = both;
    const { url } = await tier1(both, { healthCheck: { intervalMs: 50, timeoutMs: 1_000, rise: 1, fall: 2 } });
    const [key = ''] = KEYS;
    const { by } = await send(url, key);
    const [frozen, other] = by === 'east/bridge' ? [east, 'west/bridge'] : [west, 'east/bridge'];
    kafka.mute.add(by ?? '');
    frozen.isFrozen = true;
    expect(await send(url, key)).toMatchObject({ status: 200, by: other });
  });

  test('that wait for an owner that responds to probes stay there: 504', async () => {
    const both = await system();
    const { kafka, east, west } = both;
    const { url } = await tier1(both, { request: { attemptTimeoutMs: 1_500 } });
    const [key = ''] = KEYS;
    const { by } = await send(url, key);
    kafka.mute.add(by ?? '');
    const count = east.requests.length + west.requests.length;
    expect((await send(url, key)).status).toBe(504);
    expect(east.requests.length + west.requests.length).toBe(count + 1);
    expect(kafka.owners.get(slotOfKey(key))).toBe(by);
  });

  test('belong to the principal that the bridge sees', async () => {
    const both = await system();
    const { url } = await tier1(both);
    const owners = new Set<unknown>();
    for (let number = 0; number < 16; number += 1) {
      const headers = { 'causeway-gateway': 'front', [PRINCIPAL_HEADER]: `client-${number}`, ...PROOF };
      owners.add((await send(url, 'same-key', headers)).by);
    }
    expect(owners.size).toBe(2);
    expect(both.east.requests.length + both.west.requests.length).toBe(16);
  });

  test('are refused while their owner has as many as it may have: another bridge would take the slots of all clients', async () => {
    const both = await system();
    const { kafka, east, west } = both;
    const settings = { upstream: { maxInFlight: 1 } };
    const [knowing, other] = [await tier1(both, settings), await tier1(both, settings)];
    const [key = ''] = KEYS;
    const { by } = await send(knowing.url, key);
    kafka.mute.add(by ?? '');
    const count = (): number => east.requests.length + west.requests.length;
    const before = count();
    const waiting = [knowing, other].map(({ url }) => send(url, key));
    await until('both have one in flight', () => count() === before + 2);
    for (const { url } of [knowing, other]) {
      const refused = await send(url, renewed([key], 'next')[0]);
      expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    }
    expect(kafka.owners.get(slotOfKey(key))).toBe(by);
    // A gateway before this one could not reach the owner.
    const failed = { 'causeway-gateway': 'front', 'causeway-failed': by ?? '', ...PROOF };
    const taken = await send(knowing.url, renewed([key], 'taken')[0], failed);
    expect(taken).toMatchObject({ status: 200, by: by === 'east/bridge' ? 'west/bridge' : 'east/bridge' });
    await (by === 'east/bridge' ? east : west).kill();
    for (const { status } of await Promise.all(waiting)) expect(status).toBe(200);
  });

  test('with a body that is streamed go to the owner that a response 421 named before', async () => {
    const both = await system();
    const { kafka, west } = both;
    const { url } = await tier1(both, { request: { bufferBytes: 10 } });
    // A slot whose place is in east.
    const { by } = await send(url, 'first');
    const other = by === 'east/bridge' ? 'west/bridge' : 'east/bridge';
    kafka.owners.set(slotOfKey('first'), other);
    const refused = await send(url, 'first');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(refused.text).toContain('try again with the same key');
    expect(await send(url, 'first')).toMatchObject({ status: 200, by: other });
    expect(west.requests.length).toBeGreaterThan(0);
  });
});

test('an answer that a bridge repeats, which any bridge may, says nothing of the owner', async () => {
  const both = await system();
  const { kafka, east, west } = both;
  const { url } = await tier1(both);
  const [key = ''] = KEYS;
  const { by } = await send(url, key);
  const [owner, other] = by === 'east/bridge' ? [east, west] : [west, east];
  await owner.kill();
  // The other one has read the answer from the log.
  other.handle = (_, response) =>
    response.writeHead(200, { 'causeway-bridge': other.bridge, 'idempotency-replayed': 'true' }).end('{}');
  expect((await send(url, key)).status).toBe(200);
  await owner.revive();
  await until('the owner gets the next request', async () => (await send(url, key)).by === by);
  expect(kafka.owners.get(slotOfKey(key))).toBe(by);
});

describe('slots move', () => {
  test('out of a drained region, and nothing of them is lost or executed twice', async () => {
    const both = await system();
    const { kafka, east, west } = both;
    const { url, adminUrl } = await tier1(both);
    for (const key of KEYS) await send(url, key);
    expect(await post(`${adminUrl}/api/regions/east/drain`)).toBe(200);
    let round = 0;
    await until('west owns every slot', async () => {
      round += 1;
      for (const answer of await Promise.all(KEYS.map((key) => send(url, `${key}.${round}`)))) {
        expect(answer.status).toBe(200);
      }
      return [...kafka.owners.values()].every((owner) => owner === 'west/bridge');
    });
    expect(west.requests.some(({ headers }) => headers['causeway-failed'] !== undefined)).toBe(false);
    expect(east.requests.some(({ headers }) => headers['causeway-release'] === 'drain')).toBe(true);
    expect(kafka.storedCount).toBe(kafka.stored.size);
  });

  /** East died with its slots, which west took over, and is back. */
  async function failedOver(
    overrides: Record<string, unknown>,
    options: Partial<GatewayOptions> = {},
  ): Promise<System & { url: string; moved: string[] }> {
    const both = await system();
    const { kafka, east } = both;
    const healthCheck = { intervalMs: 20, timeoutMs: 2_000, rise: 1, fall: 1 };
    const { url, gateway: started } = await tier1(both, { healthCheck, ...overrides }, options);
    for (const key of KEYS) await send(url, key);
    const moved = KEYS.filter((key) => kafka.owners.get(slotOfKey(key)) === 'east/bridge');
    const flipsOfEast = (): string[] =>
      started.events
        .recent()
        .flatMap((event) => (event.type === 'health' && event.target === east.url ? [event.to] : []));
    await east.kill();
    for (const key of renewed(moved, 'away')) expect(await send(url, key)).toMatchObject({ by: 'west/bridge' });
    await until('the failure is seen', () => flipsOfEast().at(-1) === 'unhealthy');
    await east.revive();
    await until('east is back', () => flipsOfEast().at(-1) === 'healthy');
    return { ...both, url, moved };
  }

  test('home once their region has been healthy for affinity.returnAfterMs', async () => {
    const { moved, url, kafka } = await failedOver({ affinity: { returnAfterMs: 100 } });
    await until('all are home', async () => {
      for (const key of renewed(moved, 'back')) expect((await send(url, key)).status).toBe(200);
      return moved.every((key) => kafka.owners.get(slotOfKey(key)) === 'east/bridge');
    });
  });

  test('home after a minute without it', async () => {
    let laterMs = 0;
    const { moved, url, kafka } = await failedOver({}, { now: () => performance.now() + laterMs });
    const isHome = (key: string): boolean => kafka.owners.get(slotOfKey(key)) === 'east/bridge';
    for (const key of renewed(moved, 'early')) expect(await send(url, key)).toMatchObject({ by: 'west/bridge' });
    laterMs = 60_000;
    await until('all are home', async () => {
      for (const key of renewed(moved, 'late')) expect((await send(url, key)).status).toBe(200);
      return moved.every(isHome);
    });
  });

  test('nowhere by themselves before that, nor at the wish of a regional gateway', async () => {
    for (const overrides of [{}, { affinity: { returnAfterMs: 1 }, gateway: { name: 'g', region: 'east' } }]) {
      const { moved, url, east } = await failedOver(overrides);
      const count = east.requests.length;
      for (const key of renewed(moved, 'still')) expect(await send(url, key)).toMatchObject({ by: 'west/bridge' });
      expect(east.requests).toHaveLength(count);
    }
  });
});

describe('two tiers', () => {
  /** A gateway in each region in front of its bridge, tier-1 above. */
  async function tiers(overrides: Record<string, unknown> = {}): Promise<System & { url: string; adminUrl: string }> {
    const both = await system();
    const start = ({ url }: Upstream, region: string): Promise<TestGateway> =>
      gateway({ gateway: { name: 'gateway', region }, regions: regions({ [region]: url }) });
    const [east, west] = [await start(both.east, 'east'), await start(both.west, 'west')];
    const first = await gateway({ regions: regions({ east: east.url, west: west.url }), ...overrides });
    return { ...both, url: first.url, adminUrl: first.adminUrl };
  }

  test('a key of the first gateway is the key for all, and a dead owner is reported through both', async () => {
    const { url, kafka, east } = await tiers({ retry: { produce: 'exactly-once' } });
    for (let count = 0; count < KEYS.length; count += 1) expect((await send(url, undefined)).status).toBe(200);
    expect(kafka.stored.size).toBe(KEYS.length);
    kafka.mute.add('east/bridge');
    const waiting = KEYS.map(() => send(url, undefined));
    await until('all are in flight', () => kafka.stored.size === 2 * KEYS.length);
    await east.kill();
    for (const { status } of await Promise.all(waiting)) expect(status).toBe(200);
    expect(kafka.storedCount).toBe(2 * KEYS.length);
  });

  test('a drained region gives its slots to the other one, whatever is on its way there', async () => {
    const { url, adminUrl, kafka, west } = await tiers();
    for (const key of KEYS) await send(url, key);
    expect(await post(`${adminUrl}/api/regions/east/drain`)).toBe(200);
    let round = 0;
    await until('west owns every slot', async () => {
      round += 1;
      for (const answer of await Promise.all(KEYS.map((key) => send(url, `${key}.${round}`)))) {
        expect(answer.status).toBe(200);
      }
      return [...kafka.owners.values()].every((owner) => owner === 'west/bridge');
    });
    expect(west.requests.some(({ headers }) => headers['causeway-failed'] !== undefined)).toBe(false);
  });
});

test('any order of responses 421 ends, in few requests', async () => {
  const both = await system();
  const { url } = await tier1(both);
  const names = [undefined, 'east/bridge', 'west/bridge', 'east/other', 'north/bridge', 'nonsense'];
  const step = fc.record({ isOwner: fc.boolean(), owner: fc.constantFrom(...names) });
  let script: { isOwner: boolean; owner: string | undefined }[] = [];
  let askedCount = 0;
  for (const [upstreamOf, name] of [
    [both.east, 'east/bridge'],
    [both.west, 'west/bridge'],
  ] as const) {
    upstreamOf.handle = (_, response) => {
      const { isOwner, owner } = script[askedCount % script.length] ?? { isOwner: false, owner: undefined };
      askedCount += 1;
      if (isOwner) response.writeHead(200, { 'causeway-bridge': name }).end('{}');
      else response.writeHead(421, owner === undefined ? {} : { 'causeway-owner': owner }).end();
    };
  }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), fc.constantFrom(...KEYS), async (steps, key) => {
      script = steps;
      askedCount = 0;
      const { status } = await send(url, key);
      expect([200, 503]).toContain(status);
      expect(askedCount).toBeLessThanOrEqual(8);
    }),
    { seed: 18, numRuns: 100 },
  );
});

describe('retry.produce: exactly-once', () => {
  test('gives each request a key of its own, which its repetitions keep', async () => {
    const both = await system();
    const { kafka, east, west } = both;
    const { url, adminUrl } = await tier1(both, { retry: { produce: 'exactly-once' } });
    for (let count = 0; count < KEYS.length; count += 1) expect((await send(url, undefined)).status).toBe(200);
    const keys = [...keysSeen(east), ...keysSeen(west)];
    expect(new Set(keys).size).toBe(KEYS.length);
    expect(east.requests.length).toBeGreaterThan(0);
    expect(west.requests.length).toBeGreaterThan(0);
    const already = east.requests.length;
    kafka.mute.add('east/bridge');
    // Each goes to one of the two: some wait at east.
    const answers = KEYS.map(() => send(url, undefined));
    await until('all are in flight', () => kafka.storedCount === 2 * KEYS.length);
    await east.kill();
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    expect(east.requests.length).toBeGreaterThan(already);
    expect(kafka.storedCount).toBe(2 * KEYS.length);
    const metrics = await (await request(`${adminUrl}/metrics`)).body.text();
    expect(metrics).toMatch(new RegExp(`^causeway_generated_keys_total ${2 * KEYS.length}$`, 'm'));
  });

  test('leaves the client’s own key, bodies that cannot be sent again, and other operations alone', async () => {
    const both = await system();
    const { east, west } = both;
    const { url } = await tier1(both, { retry: { produce: 'exactly-once' }, request: { bufferBytes: 30 } });
    await send(url, '"of the client"', {});
    await request(`${url}/topics`).then(({ body }) => body.dump());
    await request(`${url}/topics/t`, { ...produce, body: `{"records":[{"value":"${'v'.repeat(100)}"}]}` }).then(
      ({ body }) => body.dump(),
    );
    expect([...keysSeen(east), ...keysSeen(west)].sort()).toEqual(['"of the client"', undefined, undefined]);
  });

  test('holds from the reload on that sets it', async () => {
    const both = await system();
    const started = await tier1(both);
    await send(started.url, undefined);
    const { config } = started.gateway;
    started.gateway.reload({ ...config, retry: { ...config.retry, produce: 'exactly-once' } });
    await send(started.url, undefined);
    const keys = [...keysSeen(both.east), ...keysSeen(both.west)];
    expect(keys.filter((key) => key === undefined)).toHaveLength(1);
    expect(keys).toHaveLength(2);
  });
});

describe('the header', () => {
  test.each(['', '""', 'a b', 'a,b', '"a', 'ü', `${'k'.repeat(256)}`, '"a", "b"'])(
    'is refused at the gateway if it is %j, and is no concern of other operations',
    async (key) => {
      const both = await system();
      const { url } = await tier1(both);
      const { status, text } = await send(url, Buffer.from(key, 'utf8').toString('latin1'));
      expect(status).toBe(400);
      expect(JSON.parse(text)).toEqual({
        error_code: 400,
        message:
          'idempotency-key must be one string of 1 to 255 visible ASCII characters, with or without double quotes',
      });
      expect([...both.east.requests, ...both.west.requests]).toEqual([]);
      const other = await request(`${url}/topics`, {
        headers: { [IDEMPOTENCY_KEY_HEADER]: Buffer.from(key, 'utf8').toString('latin1') },
      });
      await other.body.dump();
      expect(other.statusCode).toBe(200);
    },
  );

  test.each(['plain-key', '"quoted key"', '"with \\"quotes\\""'])(
    'reaches the bridge unchanged: %s, also if Connection lists it',
    async (key) => {
      const both = await system();
      const { url } = await tier1(both);
      await send(url, key);
      const head = `POST /topics/t HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n${IDEMPOTENCY_KEY_HEADER}: ${key}`;
      await rawExchange(url, `${head}\r\nConnection: close, ${IDEMPOTENCY_KEY_HEADER}\r\n\r\n{}`);
      expect([...keysSeen(both.east), ...keysSeen(both.west)]).toEqual([key, key]);
    },
  );

  test('is in no log, event, metric or view of the admin API', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-keys-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'access.log');
    const both = await system();
    const { kafka, east } = both;
    const started = await tier1(both, { accessLog: { file } });
    const key = 'only-for-the-owner';
    await send(started.url, key);
    kafka.owners.set(slotOfKey(key), 'north/bridge');
    await send(started.url, key);
    await east.kill();
    await send(started.url, key);
    await send(started.url, `${key} malformed`);
    const shown = await Promise.all(
      ['/metrics', '/api/topology', '/api/config'].map(async (path) => {
        const { body } = await request(`${started.adminUrl}${path}`);
        return body.text();
      }),
    );
    const events = JSON.stringify(started.gateway.events.recent());
    await started.close();
    const log = readFileSync(file, 'utf8');
    expect(log.split('\n').length).toBeGreaterThan(3);
    expect([log, events, ...shown].filter((text) => text.includes(key))).toEqual([]);
  });
});

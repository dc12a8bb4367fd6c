/** Operations on a running system: weights, broken YAML, a region that responds 500. */
import { HttpClient } from '@causeway/lab/traffic/client.ts';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ProduceLoad } from '../harness/produce-load.ts';
import { listen, startTestStack, type TestStack } from '../harness/stack.ts';
import { until } from '../harness/until.ts';
import { answerJson, startUpstream } from '../harness/upstream.ts';

let system: TestStack;
beforeAll(async () => {
  system = await startTestStack(inject('kafkaBootstrap'));
  await system.untilWell();
});
afterAll(() => system?.close());

/** Requests with a 2xx response so far, by region, from tier-1's metrics. */
async function answeredBy(operation: string): Promise<{ east: number; west: number }> {
  const text = await (await request(`${system.admin}/metrics`)).body.text();
  const count = (region: string): number => {
    const pattern = new RegExp(
      `^causeway_requests_total\\{region="${region}",operation="${operation}",outcome="2xx"\\} (\\d+)`,
      'm',
    );
    return Number(pattern.exec(text)?.[1] ?? 0);
  };
  return { east: count('east'), west: count('west') };
}

const SENDER_COUNT = 10;

/** A multiple of {@link SENDER_COUNT}. */
async function sendMany(count: number): Promise<void> {
  const client = new HttpClient(system.url);
  try {
    const send = async (): Promise<void> => {
      for (let index = 0; index < count / SENDER_COUNT; index += 1) {
        const answer = await client.send({ method: 'GET', path: '/topics' });
        expect(answer).toMatchObject({ kind: 'answered', status: 200 });
      }
    };
    await Promise.all(Array.from({ length: SENDER_COUNT }, send));
  } finally {
    await client.close();
  }
}

describe('weights', () => {
  // With 1,000 requests one run in 12,000 would be further off by chance, with 2,000 one in 45 million.
  test('80 and 20 in the YAML are 80 and 20 of 2,000 requests, within 5 points', async () => {
    system.edit('tier1.yaml', 'weight: 50', 'weight: 80');
    system.edit('tier1.yaml', 'weight: 50', 'weight: 20');
    await until(
      'the weights are read',
      async () => (await system.topology()).regions.map(({ weight }) => weight).join() === '80,20',
    );
    const before = await answeredBy('listTopics');
    await sendMany(2_000);
    const after = await answeredBy('listTopics');
    expect(after.east - before.east + after.west - before.west).toBe(2_000);
    expect(Math.abs(after.east - before.east - 1_600)).toBeLessThanOrEqual(100);
  });

  test('a change during traffic moves requests, and no request fails', async () => {
    const load = new ProduceLoad({ url: system.url, topic: 'orders', runId: `weights-${Date.now()}` });
    await load.untilMore(100);
    system.edit('tier1.yaml', 'weight: 80', 'weight: 0');
    await until('the weight is read', async () => (await system.topology()).regions[0]?.weight === 0);
    // East may still respond to requests that were in flight.
    await load.untilMore(20);
    const before = await answeredBy('send');
    await load.untilMore(200);
    const after = await answeredBy('send');
    system.edit('tier1.yaml', 'weight: 0', 'weight: 50');
    system.edit('tier1.yaml', 'weight: 20', 'weight: 50');
    await until('the weights are read', async () =>
      (await system.topology()).regions.every(({ weight }) => weight === 50),
    );
    await load.untilMore(100);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(after.east).toBe(before.east);
    expect(after.west).toBeGreaterThan(before.west);
    expect(await load.missingIn(system.stack.kafka.bootstrap)).toEqual([]);
  });
});

test('broken YAML changes nothing, and is reported with its line', async () => {
  const tier1 = await listen(system.admin);
  const line = system.edit('tier1.yaml', 'weight: 50', 'wieght: 50');
  await until('it is refused', () => tier1.events.some(({ type }) => type === 'reloadRefused'));
  const { regions, config } = await system.topology();
  expect(regions.map(({ weight }) => weight)).toEqual([50, 50]);
  expect(config.lastError?.reason).toContain(`tier1.yaml:${line}: regions[0].wieght: unknown key`);
  await sendMany(20);
  system.edit('tier1.yaml', 'wieght: 50', 'weight: 50');
  await until('the good one is taken', async () => (await system.topology()).config.lastError === null);
  tier1.close();
});

/** Their names are new in each run: with 10 consumers, one run in 500 would place all in one region. */
const CONSUMER_COUNT = 30;

test('a consumer’s requests all reach the same bridge while both are up', async () => {
  const client = new HttpClient(system.url);
  const group = `sticky-${Date.now()}`;
  const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
  try {
    for (let consumer = 0; consumer < CONSUMER_COUNT; consumer += 1) {
      const name = `c${consumer}`;
      const path = `/consumers/${group}/instances/${name}`;
      const created = await client.send({
        method: 'POST',
        path: `/consumers/${group}`,
        headers,
        body: { name, format: 'json' },
      });
      expect(created).toMatchObject({
        kind: 'answered',
        status: 200,
        body: { instance_id: name, base_uri: `${system.url}${path}` },
      });
      const subscribed = await client.send({
        method: 'POST',
        path: `${path}/subscription`,
        headers,
        body: { topics: ['greetings'] },
      });
      expect(subscribed).toMatchObject({ status: 204 });
      // A bridge without the consumer would respond 404.
      for (let poll = 0; poll < 8; poll += 1) {
        expect(await client.send({ method: 'POST', path: `${path}/offsets`, headers })).toMatchObject({ status: 204 });
      }
    }
    const { regions } = await system.topology();
    const homes = regions.map(({ consumerCount }) => consumerCount);
    expect(homes.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(CONSUMER_COUNT);
    expect(Math.min(...homes)).toBeGreaterThan(0);
    for (let consumer = 0; consumer < CONSUMER_COUNT; consumer += 1) {
      const answer = await client.send({ method: 'DELETE', path: `/consumers/${group}/instances/c${consumer}` });
      expect(answer).toMatchObject({ status: 204 });
    }
  } finally {
    await client.close();
  }
});

test('one client’s mistakes, which the API answers with 500, take no region from the others', async () => {
  const tier1 = await listen(system.admin);
  const client = new HttpClient(system.url);
  try {
    for (let index = 0; index < 100; index += 1) {
      expect(await client.send({ method: 'GET', path: '/topics/a%20b' })).toMatchObject({ status: 500 });
    }
    const { regions } = await system.topology();
    expect(regions.map(({ state }) => state)).toEqual(['up', 'up']);
    // Tier-1 receives the events of regional gateways.
    expect(tier1.events.filter((event) => event.type === 'breaker')).toEqual([]);
  } finally {
    await client.close();
    tier1.close();
  }
});

test('a breaker opens on a region that responds 500, and closes after its recovery', async () => {
  const north = await startUpstream(answerJson({ error_code: 500, message: 'broken' }, 500));
  const tier1 = await listen(system.admin);
  const withNorth = `breaker:\n  minRequests: 10\n  resetMs: 3000\nregions:\n  - name: north\n    weight: 1000\n    targets:\n      - url: ${north.url}\n`;
  const client = new HttpClient(system.url);
  const produce = async (): Promise<number> => {
    const answer = await client.send({
      method: 'POST',
      path: '/topics/orders',
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: { records: [{ value: { n: 1 } }] },
    });
    return answer.kind === 'answered' ? answer.status : 0;
  };
  const breakerStates = (): string[] =>
    tier1.events.flatMap((event) => (event.type === 'breaker' && event.region === 'north' ? [event.to] : []));
  try {
    system.edit('tier1.yaml', 'regions:\n', withNorth);
    await until('north is up', async () => (await system.topology()).regions[0]?.state === 'up');
    await until('the breaker opens', async () => (await produce()) === 500 && breakerStates().includes('open'));
    const count = north.requests.length;
    expect(await produce()).toBe(200);
    expect(north.requests).toHaveLength(count);
    north.handle = answerJson({ offsets: [{ partition: 0, offset: 0 }] });
    await until('the breaker closes', async () => (await produce()) === 200 && breakerStates().at(-1) === 'closed');
    await until('north is used again', async () => {
      await produce();
      return north.requests.length > count + 5;
    });
  } finally {
    system.edit('tier1.yaml', withNorth, 'regions:\n');
    await until('north is gone', async () => (await system.topology()).regions.length === 2);
    await client.close();
    tier1.close();
    await north.kill();
  }
});

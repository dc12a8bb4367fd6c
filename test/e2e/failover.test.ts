/** Real processes killed and frozen under produce load, through the one hostname. */

import { Value } from '@causeway/config/schema.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { MachinePace } from '@causeway/lab/machine-pace.ts';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import type { LabProcess } from '@causeway/lab/stack/process.ts';
import { HttpClient } from '@causeway/lab/traffic/client.ts';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { valueIn } from '../harness/exposition.ts';
import { LARGE_BYTES, LargeTraffic } from '../harness/large-traffic.ts';
import { ProduceLoad } from '../harness/produce-load.ts';
import { regionState, startTestStack, type TestStack } from '../harness/stack.ts';
import { until } from '../harness/until.ts';

/** The time in which a gateway with the default config declares a frozen target down. */
const { healthCheck } = Value.Default(GatewayConfig, {}) as GatewayConfig;
const DETECTION_MS = healthCheck.intervalMs + healthCheck.fall * healthCheck.timeoutMs;

/** Added to it, on an idle machine. */
const AFTER_DETECTION_MS = 1_000;

const pace = new MachinePace();
afterAll(() => pace.close());
/** The time that a failover may take, on a machine as slow as this one. */
const failoverMs = (): number => pace.boundMs(DETECTION_MS, AFTER_DETECTION_MS);

let system: TestStack;
beforeAll(async () => {
  // One fetch brings more than a response of 8 MiB.
  const bridgeYaml = 'consumers: { fetchMaxBytes: 16777216, partitionFetchMaxBytes: 16777216 }\n';
  system = await startTestStack(inject('kafkaBootstrap'), { bridgeYaml });
});
afterAll(() => system?.close());
afterEach(async () => {
  await system.stack.restoreRegion('east');
  await system.untilWell();
});

async function underLoad(name: string, action: (load: ProduceLoad) => Promise<void>): Promise<ProduceLoad> {
  await system.untilWell();
  const load = new ProduceLoad({ url: system.url, topic: 'orders', runId: `${name}-${Date.now()}` });
  try {
    await load.untilMore(200);
    await action(load);
    await load.untilMore(200);
  } finally {
    await load.stop();
  }
  expect(load.failures).toEqual([]);
  expect(await load.missingIn(system.stack.kafka.bootstrap)).toEqual([]);
  return load;
}

test.each([
  ['a bridge', async () => system.stack.regions.east.bridge.kill()],
  ['a regional gateway', async () => system.stack.regions.east.gateway.kill()],
  ['a whole region', async () => system.stack.killRegion('east')],
])('SIGKILL of %s: no produce request fails, and none of its records is lost', async (name, kill) => {
  await underLoad(`kill-${name.replaceAll(' ', '-')}`, async (load) => {
    await kill();
    await until('tier-1 sees it', async () => (await regionState(system, 'east')) === 'down');
    await load.untilMore(200);
    await system.stack.restoreRegion('east');
    await system.untilWell();
  });
});

/** Freezes a process by SIGSTOP: its kernel accepts connections, and it never responds. */
async function frozen(child: LabProcess, action: () => Promise<void>): Promise<void> {
  child.signal('SIGSTOP');
  try {
    await action();
  } finally {
    child.signal('SIGCONT');
  }
}

test(`SIGSTOP of a bridge: no produce request fails, and none is slower than ${DETECTION_MS} ms of detection and a second`, async () => {
  const load = await underLoad('freeze-bridge', (running) =>
    frozen(system.stack.regions.east.bridge.process, async () => {
      await until('tier-1 sees it', async () => (await regionState(system, 'east')) === 'down');
      await running.untilMore(200);
    }),
  );
  expect(load.slowestMs).toBeLessThan(failoverMs());
  // Requests were in flight when it froze: otherwise this test would show nothing.
  expect(load.slowestMs).toBeGreaterThan(healthCheck.timeoutMs);
});

test('SIGSTOP of a regional gateway: the same, one level up', async () => {
  const load = await underLoad('freeze-gateway', (running) =>
    frozen(system.stack.regions.east.gateway.process, async () => {
      await until('tier-1 sees it', async () => (await regionState(system, 'east')) === 'down');
      await running.untilMore(200);
    }),
  );
  expect(load.slowestMs).toBeLessThan(failoverMs());
});

test('a poll that waited on the dying region gets a response within its own time, and the consumer continues in the other region', async () => {
  await system.untilWell();
  const client = new HttpClient(system.url);
  const group = `waiting-${Date.now()}`;
  const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
  const create = (name: string) =>
    client.send({
      method: 'POST',
      path: `/consumers/${group}`,
      headers,
      body: { name, format: 'json', 'auto.offset.reset': 'earliest' },
    });
  const subscribe = (name: string) =>
    client.send({
      method: 'POST',
      path: `/consumers/${group}/instances/${name}/subscription`,
      headers,
      body: { topics: ['greetings'] },
    });
  try {
    // A consumer in east: tries names until the placement matches.
    const counts = async (): Promise<number> =>
      (await system.topology()).regions.find(({ name }) => name === 'east')?.consumerCount ?? 0;
    const initial = await counts();
    let name = '';
    for (let index = 0; (await counts()) === initial; index += 1) {
      name = `c${index}`;
      expect(await create(name)).toMatchObject({ status: 200 });
    }
    expect(await subscribe(name)).toMatchObject({ status: 204 });
    await client.send({ method: 'GET', path: `/consumers/${group}/instances/${name}/records?timeout=2000` });
    const inFlight = async (): Promise<number> =>
      (await system.topology()).regions.find((region) => region.name === 'east')?.inFlight ?? 0;
    const startMs = performance.now();
    const poll = client.send({ method: 'GET', path: `/consumers/${group}/instances/${name}/records?timeout=5000` });
    await until('the poll waits in east', async () => (await inFlight()) === 1);
    await system.stack.killRegion('east');
    const answer = await poll;
    // West took the consumer over without any action of the client: the topic had no records.
    expect(answer).toMatchObject({ kind: 'answered', status: 200, body: [] });
    expect(performance.now() - startMs).toBeLessThan(5_000 + failoverMs());
    await client.send({
      method: 'POST',
      path: '/topics/greetings',
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: { records: [{ value: { to: group } }] },
    });
    await until('the record arrives', async () => {
      const polled = await client.send({
        method: 'GET',
        path: `/consumers/${group}/instances/${name}/records?timeout=2000`,
      });
      expect(polled).toMatchObject({ kind: 'answered', status: 200 });
      return JSON.stringify(polled).includes(group);
    });
  } finally {
    await client.close();
  }
});

/** Bytes of bodies and of responses that the tier-1 gateway has, complete or not. */
async function heldBytes(): Promise<number> {
  const { body } = await request(`${system.admin}/metrics`);
  return valueIn(await body.text(), 'causeway_held_bytes');
}

async function killEastAndWait(): Promise<void> {
  await system.stack.killRegion('east');
  await until('tier-1 sees it', async () => (await regionState(system, 'east')) === 'down');
}

test('SIGKILL of a region while bodies and answers of 8 MiB are under way: no request fails, and no record is lost', async () => {
  await system.untilWell();
  const topic = `large-${Date.now()}`;
  await ensureTopics(system.stack.kafka.bootstrap, [{ name: topic, partitionCount: 1 }]);
  const traffic = new LargeTraffic({ url: system.url, topic });
  try {
    traffic.produce(3);
    await traffic.untilMore('bodies', () => traffic.acknowledged.length, 4);
    await until('bodies are under way', async () => (await heldBytes()) >= 2 * LARGE_BYTES);
    await killEastAndWait();
    await traffic.untilMore('bodies', () => traffic.acknowledged.length, 4);
    await traffic.pause();
    expect(traffic.failures).toEqual([]);
    await system.stack.restoreRegion('east');
    await system.untilWell();
    // A consumer in east: tries names until the placement matches.
    const inEast = async (): Promise<number> =>
      (await system.topology()).regions.find(({ name }) => name === 'east')?.consumerCount ?? 0;
    const initial = await inEast();
    let name = '';
    for (let index = 0; (await inEast()) === initial; index += 1) {
      name = `c${index}`;
      await traffic.create(topic, name);
    }
    traffic.isRepeating = true;
    await traffic.consume(topic, name);
    await traffic.untilMore('answers', () => traffic.answerCount, 2);
    await until('an answer is under way', async () => (await heldBytes()) > LARGE_BYTES / 4);
    traffic.isRepeating = false;
    await killEastAndWait();
    await until('all records have come', () => traffic.failures.length > 0 || traffic.missing.length === 0, {
      timeoutMs: 60_000,
    });
    expect(traffic.failures).toEqual([]);
    expect(traffic.missing).toEqual([]);
    expect(traffic.largestAnswerBytes).toBeGreaterThan(LARGE_BYTES * 0.9);
  } finally {
    await traffic.close();
  }
}, 240_000);

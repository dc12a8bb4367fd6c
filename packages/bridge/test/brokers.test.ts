/** A bridge and three brokers: the nearest one, the bootstrap servers, and leaders and coordinators that move when one freezes or dies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { describeTransactionsV0 } from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { Consuming, Producing } from '../../../test/harness/bridge-traffic.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { committedValues } from '../../../test/harness/committed-values.ts';
import { setLogLevel } from '../../../test/harness/kafka-settings.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { KeyedProducing, sendKeyed } from '../../../test/harness/keyed-traffic.ts';
import { type OwnKafka, PATIENT_BROKERS, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { until } from '../../../test/harness/until.ts';
import type { Cluster } from '../src/kafka/client/cluster.ts';
import { Coordinator } from '../src/kafka/client/coordinator.ts';
import { within } from '../src/kafka/client/limits.ts';

const { ConfigResourceTypes } = kafkajs;
const BROKERS = [1, 2, 3];
/** Dies. */
const VICTIM = 2;
/** Lives all the time. */
const SURVIVOR = 1;
/** It loses what it leads, and does not get it back: not the victim, which is to lead something. */
const FROZEN = 3;
/** Longer than an election takes on a busy machine: no client may see one. */
const DELIVERY_TIMEOUT_MS = 60_000;
const SHORT_DELIVERY_TIMEOUT_MS = 3000;
/** For which a broker has a fetch: far longer than an election takes on a busy machine. */
const FETCH_WAIT_MS = 120_000;
const WITHIN = { timeoutMs: 60_000 };

/** Of the bridge, for requests with keys. */
const LANE = 'causeway-answers-east/test-bridge-0';

let own: OwnKafka;
let cluster: Cluster;
let lane: Coordinator;
let kafka: KafkaView;
let bridge: TestBridge;
/** Does not wait for long. */
let impatient: TestBridge;
const others: TestBridge[] = [];

beforeAll(async () => {
  own = await startOwnKafka({
    brokerCount: 3,
    ports: await findFreePorts(6),
    properties: (id) => ({
      ...PATIENT_BROKERS,
      'broker.rack': `zone-${id}`,
      'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
    }),
  });
  kafka = await KafkaView.connect(own.cluster.bootstrap);
  cluster = testCluster(own.cluster.bootstrap);
  lane = new Coordinator(cluster, { kind: 'transaction', key: LANE });
  const start = (deliveryTimeoutMs: number): Promise<TestBridge> =>
    TestBridge.start(own.cluster.bootstrap, {
      kafka: { requestTimeoutMs: 3000, sessionTimeoutMs: 10_000 },
      consumers: { fetchMaxWaitMs: FETCH_WAIT_MS },
      producer: { deliveryTimeoutMs },
    });
  [bridge, impatient] = await Promise.all([start(DELIVERY_TIMEOUT_MS), start(SHORT_DELIVERY_TIMEOUT_MS)]);
}, 400_000);

afterAll(async () => {
  await Promise.all([bridge, impatient, ...others].map((each) => each?.close()));
  await kafka?.close();
  await cluster?.close();
  await own?.close();
});

/** A bridge that finds brokers soon. */
async function bridgeOf(bootstrap: string, options: object = {}): Promise<TestBridge> {
  const other = await TestBridge.start(bootstrap, { kafka: { connectTimeoutMs: 1000, ...options } });
  others.push(other);
  await until('the bridge is ready', async () => (await other.get('/ready')).status === 200);
  return other;
}

/** Runs while brokers tell every request that they have answered. */
async function withTold(run: () => Promise<void>): Promise<void> {
  const tell = (level: string): Promise<unknown> =>
    Promise.all(
      own.cluster.brokers
        .filter((each) => each.isRunning)
        .map((each) => setLogLevel(each, 'kafka.request.logger', level)),
    );
  await tell('DEBUG');
  await run();
  await tell('INFO');
}

/** Brokers that have sent records to this client, as they tell it. */
function brokersThatServed(clientId: string): number[] {
  return BROKERS.filter((id) =>
    readFileSync(join(own.directory, `kafka-${id}.log`), 'utf8')
      .split('\n')
      .some(
        (line) =>
          line.includes('"requestApiKeyName":"FETCH"') &&
          line.includes(`"clientId":"${clientId}"`) &&
          /"recordsSizeInBytes":[1-9]/.test(line),
      ),
  );
}

interface PartitionBody {
  leader: number;
  replicas: { in_sync: boolean }[];
}

async function partitions(topic: string): Promise<PartitionBody[]> {
  const { status, text, body } = await bridge.get(`/topics/${topic}/partitions`);
  if (status !== 200) throw new Error(text);
  return body;
}

/** A topic with a replica on each broker, led by this one. */
async function ledBy(leader: number, minInSync: number): Promise<string> {
  const topic = unique('led');
  await kafka.admin.createTopics({
    waitForLeaders: false,
    topics: [
      {
        topic,
        replicaAssignment: [{ partition: 0, replicas: [leader, ...BROKERS.filter((id) => id !== leader)] }],
        configEntries: [{ name: 'min.insync.replicas', value: `${minInSync}` }],
      },
    ],
  });
  await until('all replicas are there', () => isComplete(topic), WITHIN);
  return topic;
}

async function isComplete(topic: string): Promise<boolean> {
  const [partition] = await partitions(topic);
  return partition?.replicas.every(({ in_sync }) => in_sync) === true && partition.leader > 0;
}

/** A group whose offsets are in a partition that the victim leads: its coordinator. */
async function coordinatedByVictim(): Promise<string> {
  // The first group makes the topic.
  await (await bridge.consumer(unique('group'), 'first', [await kafka.topic()])).poll('timeout=500');
  let leaders: number[] = [];
  await until(
    'the offsets have leaders',
    async () => {
      leaders = (await partitions('__consumer_offsets')).map(({ leader }) => leader);
      return leaders.includes(VICTIM) && leaders.every((leader) => leader > 0);
    },
    WITHIN,
  );
  while (true) {
    const group = unique('group');
    if (leaders[Math.abs(javaHash(group)) % leaders.length] === VICTIM) return group;
  }
}

/** `String.hashCode` in Java. */
function javaHash(text: string): number {
  let hash = 0;
  for (const char of text) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
  return hash;
}

/** Of the last transaction about keys of the bridge. */
async function laneState(): Promise<string | undefined> {
  const { transactionStates } = await lane.send(
    (connection) => describeTransactionsV0.api.async(connection, [LANE]),
    within(30_000),
  );
  return transactionStates[0]?.transactionState;
}

test('without a rack everyone reads from leaders', async () => {
  const topic = await ledBy(SURVIVOR, 2);
  const name = unique('consumer');
  const consumer = await bridge.consumer(unique('group'), name, [topic]);
  await withTold(async () => {
    await bridge.produce(topic, { records: [{ value: '1' }] });
    await consumer.take(1);
    await until('brokers have counted it', () => brokersThatServed(name).length > 0);
  });
  expect(brokersThatServed(name)).toEqual([SURVIVOR]);
});

test('the broker that leads freezes: a poll that waits for it continues with the next leader', async () => {
  const topic = await ledBy(FROZEN, 2);
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  expect((await consumer.poll('timeout=1000')).body).toEqual([]);
  const poll = () => consumer.poll(`timeout=${FETCH_WAIT_MS}`);
  const polling = poll();
  const frozen = own.cluster.brokers.find(({ id }) => id === FROZEN);
  try {
    frozen?.process.signal('SIGSTOP');
    const frozenAtMs = performance.now();
    expect((await bridge.produce(topic, { records: [{ value: 'next' }] })).body.offsets).toMatchObject([{ offset: 0 }]);
    let answer = await polling;
    // The frozen one has the fetch all the while, and would have it for as long as it may wait.
    const isInTime = (): boolean => performance.now() - frozenAtMs < FETCH_WAIT_MS - 10_000;
    // Empty where the bridges' own topic has no leader yet either.
    while (answer.status === 200 && answer.body.length === 0 && isInTime()) answer = await poll();
    expect(answer).toMatchObject({ status: 200, body: [{ value: 'next' }] });
    expect(isInTime()).toBe(true);
  } finally {
    frozen?.process.signal('SIGCONT');
  }
  const isBack = async (): Promise<boolean> =>
    (await partitions(topic))[0]?.replicas.every(({ in_sync }) => in_sync) === true;
  await until('the broker is back', isBack, WITHIN);
}, 400_000);

describe('a broker dies', () => {
  /** A consumer that reads from the victim, which is in its rack and does not lead. */
  let near: { topic: string; name: string; consumer: TestConsumer };
  /** A consumer of a bridge that knows no broker but the victim and another one. */
  let bootstrapped: { topic: string; consumer: TestConsumer; bootstrap: string };

  beforeAll(async () => {
    near = await startNear();
    bootstrapped = await startBootstrapped();
  }, 400_000);

  async function startNear(): Promise<typeof near> {
    const topic = await ledBy(SURVIVOR, 2);
    const inRack = await bridgeOf(own.cluster.bootstrap, { clientRack: `zone-${VICTIM}` });
    const name = unique('consumer');
    const consumer = await inRack.consumer(unique('group'), name, [topic]);
    await withTold(async () => {
      await bridge.produce(topic, { records: [{ value: '1' }, { value: '2' }] });
      expect((await consumer.take(2)).map(({ value }) => value)).toEqual(['1', '2']);
      await until('brokers have counted it', () => brokersThatServed(name).length > 0);
    });
    expect(brokersThatServed(name)).toEqual([VICTIM]);
    return { topic, name, consumer };
  }

  async function startBootstrapped(): Promise<typeof bootstrapped> {
    const [deadPort] = await findFreePorts(1);
    const living = own.cluster.brokers.filter(({ id }) => id !== FROZEN).map(({ port }) => `127.0.0.1:${port}`);
    const bootstrap = [`127.0.0.1:${deadPort}`, ...living.toReversed()].join(',');
    const other = await bridgeOf(bootstrap);
    const topic = await ledBy(VICTIM, 2);
    const consumer = await other.consumer(unique('group'), 'c', [topic]);
    await other.produce(topic, { records: [{ value: 'before' }] });
    expect(await consumer.take(1)).toMatchObject([{ value: 'before' }]);
    return { topic, consumer, bootstrap };
  }

  test('which led and coordinated: clients see nothing of it but a pause', async () => {
    const topic = await ledBy(VICTIM, 2);
    const strict = await ledBy(VICTIM, 3);
    const group = await coordinatedByVictim();
    const consumer = await bridge.consumer(group, 'c', [topic]);
    const producing = new Producing(bridge, topic);
    const consuming = new Consuming(consumer);
    // Its transactions have to do with all three brokers.
    const keyedTopic = await ledBy(VICTIM, 2);
    const keyed = new KeyedProducing({ url: bridge.url, topic: keyedTopic });
    await until('records flow', () => consuming.values.size >= 20 && keyed.answers.size >= 20, WITHIN);
    expect((await partitions(topic))[0]?.leader).toBe(VICTIM);

    await own.cluster.killBroker(VICTIM);
    const storedBefore = producing.stored.length;
    const answeredBefore = keyed.answers.size;
    await until('records are stored by another leader', () => producing.stored.length >= storedBefore + 20, WITHIN);
    await until('and those with keys', () => keyed.answers.size >= answeredBefore + 20, WITHIN);
    expect((await partitions(topic))[0]?.leader).not.toBe(VICTIM);
    const isRead = (): boolean => producing.stored.every((value) => consuming.values.has(value));
    await until('and read', isRead, WITHIN);
    // The group has another coordinator, which knows the consumer and what it commits.
    await until('a commit', async () => (await consumer.commit()).status === 204, WITHIN);
    expect((await bridge.get('/ready')).status).toBe(200);

    // Too few replicas for this topic: an entry in its time, that says why.
    const watch = new Stopwatch();
    const { body } = await impatient.produce(strict, { records: [{ value: 'refused' }] });
    expect(watch.stop()).toBeLessThan(SHORT_DELIVERY_TIMEOUT_MS + 10_000);
    expect(body.offsets).toEqual([
      {
        error_code: 500,
        message: `Expiring 1 record(s) for ${strict}-0:${SHORT_DELIVERY_TIMEOUT_MS} ms has passed since batch creation; the last attempt: org.apache.kafka.common.errors.NotEnoughReplicasException: Messages are rejected since there are fewer in-sync replicas than required.`,
      },
    ]);
    const patient = bridge.produce(strict, { records: [{ value: 'stored' }] });
    // With a key, it is part of a transaction that cannot end without the replicas: Kafka writes the end to each partition. Nothing
    // else is stored under the lane's id until then.
    const heldUp = sendKeyed(bridge.url, { topic: strict, key: 'held-up' });
    await until('the transaction cannot end', async () => (await laneState()) === 'PrepareAbort', WITHIN);
    // As many as there are do again.
    await kafka.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: strict,
          configEntries: [{ name: 'min.insync.replicas', value: '2' }],
        },
      ],
    });
    // Behind the end of that transaction, perhaps.
    expect((await patient).body.offsets).toEqual([{ partition: 0, offset: expect.any(Number) }]);
    expect(await heldUp).toMatchObject({ status: 200, isReplayed: false });
    const answeredHere = keyed.answers.size;
    await until('requests with keys are served again', () => keyed.answers.size >= answeredHere + 20, WITHIN);

    await keyed.end();
    const [values] = await committedValues(own.cluster.bootstrap, [keyedTopic]);
    expect(values?.map((value) => JSON.parse(value)).sort()).toEqual([...keyed.answers.keys()].sort());
    for (const [key, text] of [...keyed.answers].slice(-5)) {
      expect(await sendKeyed(bridge.url, { topic: keyedTopic, key })).toEqual({ status: 200, text, isReplayed: true });
    }

    await producing.end();
    await until('everything acknowledged is read', isRead, WITHIN);
    await consuming.end();
    expect([...producing.refused]).toEqual([]);
    expect([...consuming.statuses]).toEqual([200]);
    expect(consuming.firstGap).toBeUndefined();
    const messages = await kafka.read(topic, producing.stored.length);
    const inKafka = new Set(messages.map(({ value }) => Number(JSON.parse(value?.toString() ?? 'null'))));
    expect(producing.stored.filter((value) => !inKafka.has(value))).toEqual([]);
    expect((await consumer.delete()).status).toBe(204);
  }, 400_000);

  test('consumers that read from it, in their rack, read from the leader', async () => {
    const { topic, name, consumer } = near;
    await withTold(async () => {
      await untilStored(bridge, topic, '3');
      expect((await consumer.take(1)).map(({ value }) => value)).toEqual(['3']);
      await until('the leader has counted it', () => brokersThatServed(name).includes(SURVIVOR));
    });
  }, 400_000);

  test('bootstrap servers may be dead, at the start and later', async () => {
    const { topic, consumer, bootstrap } = bootstrapped;
    await untilStored(consumer.bridge, topic, 'after');
    expect(await consumer.take(1)).toMatchObject([{ value: 'after' }]);
    // A new bridge finds two of its three bootstrap servers dead.
    expect((await (await bridgeOf(bootstrap)).get('/topics')).body).toContain(topic);
  }, 400_000);

  async function untilStored(by: TestBridge, topic: string, value: string): Promise<void> {
    const isStored = async (): Promise<boolean> =>
      'offset' in (await by.produce(topic, { records: [{ value }] })).body.offsets[0];
    await until('a record is stored without it', isStored, WITHIN);
  }
});

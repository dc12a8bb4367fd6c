/** What creates a topic on a Kafka with `auto.create.topics.enable`, its default, and what never does. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';
import { Cluster } from '../src/kafka/client/cluster.ts';
import { within } from '../src/kafka/client/limits.ts';

const MAX_BLOCK_MS = 1000;
/** Kafka creates it when share groups are first used. */
const RESERVED = '__share_group_state';

let own: OwnKafka;
let view: KafkaView;
let bridge: TestBridge;
/** Of the same Kafka, and forbids what the other allows. */
let strict: TestBridge;

beforeAll(async () => {
  own = await startOwnKafka({
    brokerCount: 1,
    ports: await findFreePorts(2),
    properties: { ...PATIENT_BROKER, 'auto.create.topics.enable': 'true' },
  });
  const { bootstrap } = own.cluster;
  view = await KafkaView.connect(bootstrap);
  bridge = await TestBridge.start(bootstrap);
  strict = await TestBridge.start(bootstrap, {
    bridge: { name: 'strict-bridge' },
    producer: { allowAutoTopicCreation: false, maxBlockMs: MAX_BLOCK_MS },
    consumers: { allowAutoTopicCreation: false },
  });
  await until('the bridges are ready', async () => {
    const answers = await Promise.all([bridge.get('/ready'), strict.get('/ready')]);
    return answers.every(({ status }) => status === 200);
  });
  // The start of a broker, on a machine that has other work.
}, 240_000);

afterAll(async () => {
  await Promise.all([bridge?.close(), strict?.close()]);
  await view?.close();
  await own?.close();
});

async function exists(topic: string): Promise<boolean> {
  return (await view.admin.listTopics()).includes(topic);
}

/** A topic that is created after everything that was asked for before it. */
async function untilCreationIsOver(): Promise<void> {
  const last = unique('last');
  expect((await bridge.produce(last, { records: [{ value: 'x' }] })).body.offsets).toEqual([
    { partition: expect.any(Number), offset: 0 },
  ]);
}

describe.each([
  ['POST /topics/{topic}', '', 200],
  ['POST /topics/{topic}/partitions/{partition}', '/partitions/0', 200],
  ['POST /topics/{topic}?async=true', '?async=true', 204],
  ['POST /topics/{topic}/partitions/{partition}?async=true', '/partitions/0?async=true', 204],
])('%s', (_operation, path, status) => {
  const ask = (target: TestBridge, topic: string) =>
    target.request('POST', `/topics/${topic}${path}`, {
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: '{"records":[{"value":"x"}]}',
    });

  test('creates the topic and stores the record', async () => {
    const topic = unique('made');
    const answer = await ask(bridge, topic);
    expect(answer.status, answer.text).toBe(status);
    if (status === 200) expect(answer.body.offsets).toEqual([{ partition: expect.any(Number), offset: 0 }]);
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    expect((await consumer.take(1)).map(({ value }) => value)).toEqual(['x']);
    await consumer.delete();
  });

  test('creates nothing where the bridge does not allow it, and says so', async () => {
    const topic = unique('refused');
    const { status: refused, text } = await ask(strict, topic);
    expect({ refused, text }).toEqual({
      refused: status === 200 ? 200 : 404,
      text: expect.stringContaining(`Topic ${topic} not present in metadata after ${MAX_BLOCK_MS} ms.`),
    });
    await untilCreationIsOver();
    expect(await exists(topic)).toBe(false);
  });
});

test('a subscription creates its topics, before the first poll, and reads them from their first record on', async () => {
  const [topic, other] = [unique('subscribed'), unique('subscribed')];
  const consumer = await bridge.consumer(unique('group'), 'c', [topic, other]);
  await until('both are there', async () => (await exists(topic)) && (await exists(other)));
  for (const name of [topic, other]) await bridge.produce(name, { records: [{ value: name }] });
  expect(new Set((await consumer.take(2)).map(({ value }) => value))).toEqual(new Set([topic, other]));
  await consumer.delete();
});

test('a topic that is deleted comes again for its next record', async () => {
  const topic = unique('deleted');
  const first = await bridge.produce(topic, { records: [{ value: '1', partition: 0 }] });
  expect(first.body.offsets).toEqual([{ partition: 0, offset: 0 }]);
  await view.admin.deleteTopics({ topics: [topic] });
  await until('it is gone', async () => !(await exists(topic)));
  const second = await bridge.produce(topic, { records: [{ value: '2', partition: 0 }] });
  expect(second.body.offsets).toEqual([{ partition: 0, offset: 0 }]);
});

test('nothing that only reads creates a topic', async () => {
  const topic = unique('read');
  for (const path of ['', '/partitions', '/partitions/0', '/partitions/0/offsets']) {
    expect(await bridge.get(`/topics/${topic}${path}`), path).toMatchObject({ status: 404 });
  }
  const place = { topic, partition: 0 };
  const assigned = await bridge.consumer(unique('group'), 'c', []);
  expect((await bridge.post(`${assigned.path}/assignments`, { partitions: [place] })).status).toBe(204);
  await assigned.poll('timeout=500');
  await bridge.post(`${assigned.path}/positions`, { offsets: [{ ...place, offset: 1 }] });
  await bridge.post(`${assigned.path}/positions/end`, { partitions: [place] });
  await bridge.get(`${assigned.path}/positions`);
  const patterned = await bridge.consumer(unique('group'), 'c', []);
  expect((await bridge.post(`${patterned.path}/subscription`, { topic_pattern: topic })).status).toBe(204);
  await patterned.poll('timeout=500');
  const subscribed = await strict.consumer(unique('group'), 'c', [topic]);
  await subscribed.poll('timeout=500');
  await untilCreationIsOver();
  expect(await exists(topic)).toBe(false);
  for (const consumer of [assigned, patterned, subscribed]) await consumer.delete();
});

/** Another bridge's view of a cluster. */
async function ask(bootstrap: string, topic: string): Promise<unknown> {
  const cluster = new Cluster({
    bootstrapServers: bootstrap.split(','),
    clientId: 'test',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 20_000,
    metadataMaxAgeMs: 60_000,
  });
  const answers = await cluster.topics([topic], within(20_000), { mayCreate: true });
  await cluster.close();
  return answers.get(topic);
}

test('no request creates a topic of the bridges or of Kafka itself', async () => {
  expect(await ask(own.cluster.bootstrap, RESERVED)).toEqual({ errorId: 'UNKNOWN_TOPIC_OR_PARTITION' });
  expect((await bridge.produce(RESERVED, { records: [{ value: 'x' }] }, { query: '?async=true' })).status).toBe(422);
  const consumer = await bridge.consumer(unique('group'), 'c', []);
  expect((await bridge.post(`${consumer.path}/subscription`, { topics: [RESERVED] })).status).toBe(403);
  await consumer.delete();
  await untilCreationIsOver();
  expect(await exists(RESERVED)).toBe(false);
});

test('a Kafka that does not create topics decides: the topic stays unknown', async () => {
  const unknown = { errorId: 'UNKNOWN_TOPIC_OR_PARTITION' };
  const topic = unique('nowhere');
  for (let time = 0; time < 2; time += 1) expect(await ask(inject('kafkaBootstrap'), topic)).toEqual(unknown);
});

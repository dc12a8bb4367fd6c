/** What clients see of topics whose records, partitions or identity change under them. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type ConsumedJson, TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';

let kafka: KafkaView;
let bridge: TestBridge;

beforeAll(async () => {
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    consumers: { topicRefreshMs: 300, fetchMaxWaitMs: 500 },
    kafka: { metadataMaxAgeMs: 1000 },
  });
});

afterAll(async () => {
  await bridge?.close();
  await kafka?.close();
});

function numbered(count: number, prefix = ''): { value: string }[] {
  return Array.from({ length: count }, (_, index) => ({ value: JSON.stringify(`${prefix}${index}`) }));
}

function valuesOf(records: readonly ConsumedJson[]): unknown[] {
  return records.map(({ value }) => value);
}

async function assigned(topic: string, reset: string): Promise<TestConsumer> {
  const consumer = await bridge.consumer(unique('group'), 'c', [], { 'auto.offset.reset': reset });
  await bridge.post(`${consumer.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
  return consumer;
}

async function seek(consumer: TestConsumer, topic: string, offset: number): Promise<void> {
  const { status } = await bridge.post(`${consumer.path}/positions`, { offsets: [{ topic, partition: 0, offset }] });
  expect(status).toBe(204);
}

async function assignedTo(consumer: TestConsumer): Promise<unknown[]> {
  return (await bridge.get(`${consumer.path}/subscription`)).body.partitions;
}

async function deleteTopic(topic: string): Promise<void> {
  await kafka.admin.deleteTopics({ topics: [topic] });
  await until('the topic is gone', async () => !(await kafka.admin.listTopics()).includes(topic));
}

describe('a position that the log does not have', () => {
  async function shortened(): Promise<string> {
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(10));
    await kafka.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] });
    return topic;
  }

  test.each([
    ['deleted records', 2],
    ['the end', 50],
  ])('(%s) goes to the beginning that there is with earliest', async (_name, offset) => {
    const topic = await shortened();
    const consumer = await assigned(topic, 'earliest');
    await seek(consumer, topic, offset);
    expect((await consumer.take(4)).map((record) => record.offset)).toEqual([6, 7, 8, 9]);
  });

  test.each([
    ['deleted records', 2],
    ['the end', 50],
  ])('(%s) goes to the end with latest', async (_name, offset) => {
    const topic = await shortened();
    const consumer = await assigned(topic, 'latest');
    await seek(consumer, topic, offset);
    await until('it is at the end', async () => {
      expect((await consumer.poll('timeout=500')).body).toEqual([]);
      return (await bridge.get(`${consumer.path}/positions`)).body.offsets[0]?.offset === 10;
    });
    await kafka.write(topic, numbered(1, 'new'));
    expect((await consumer.take(1)).map((record) => record.offset)).toEqual([10]);
  });

  test.each([
    ['deleted records', 2],
    ['the end', 50],
  ])('(%s) is an error at every poll with none, until it is moved', async (_name, offset) => {
    const topic = await shortened();
    const consumer = await assigned(topic, 'none');
    await seek(consumer, topic, offset);
    for (let time = 0; time < 2; time += 1) {
      expect((await consumer.poll()).body).toEqual({
        error_code: 500,
        message: `org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch position ${offset} is out of range for partition ${topic}-0`,
      });
    }
    await seek(consumer, topic, 8);
    expect((await consumer.take(2)).map((record) => record.offset)).toEqual([8, 9]);
  });

  test('is reported or found again also when a consumer was in the middle of the deleted records', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(3));
    const [earliest, none] = await Promise.all(['earliest', 'none'].map((reset) => assigned(topic, reset)));
    if (earliest === undefined || none === undefined) throw new Error('no consumers');
    await seek(none, topic, 0);
    for (const consumer of [earliest, none]) expect(await consumer.take(3)).toHaveLength(3);
    await kafka.write(topic, numbered(3, 'lost'));
    await kafka.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] });
    await kafka.write(topic, numbered(1, 'kept'));
    // What was fetched before it was deleted may still come.
    const last = async (): Promise<unknown> => (await earliest.poll('timeout=500')).body.at(-1)?.value;
    await until('the record after the deleted ones', async () => (await last()) === 'kept0');
    const seen = await none.poll();
    if (seen.status === 200) expect(valuesOf(seen.body)).not.toContain('kept0');
    else expect(seen.body.message).toMatch(/OffsetOutOfRangeException: Fetch position 3 /);
  });
});

describe('a topic that is deleted and made again', () => {
  test.each([
    ['a subscription', 'earliest'],
    ['a subscription', 'latest'],
    ['an assignment', 'earliest'],
    ['an assignment', 'latest'],
  ])('is read from its new beginning by %s (%s), also where it is longer than the old one was', async (kind, reset) => {
    const topic = await kafka.topic();
    await kafka.write(topic, numbered(3, 'old'));
    const consumer =
      kind === 'an assignment'
        ? await assigned(topic, reset)
        : await bridge.consumer(unique('group'), 'c', [topic], { 'auto.offset.reset': reset });
    await until('it has its partition', async () => {
      await consumer.poll('timeout=300');
      return (await assignedTo(consumer)).length > 0;
    });
    if (reset === 'latest') await bridge.post(`${consumer.path}/positions/beginning`, { partitions: [] });
    else await bridge.post(`${consumer.path}/positions`, { offsets: [{ topic, partition: 0, offset: 0 }] });
    expect(valuesOf(await consumer.take(3))).toEqual(['old0', 'old1', 'old2']);
    await consumer.commit();
    await kafka.admin.deleteTopics({ topics: [topic] });
    await until('the topic is gone', async () => !(await kafka.admin.listTopics()).includes(topic));
    await kafka.createTopic(topic);
    await kafka.write(topic, numbered(10, 'new'));
    const values = valuesOf(await consumer.take(10));
    expect(values).toEqual(Array.from({ length: 10 }, (_, index) => `new${index}`));
    await consumer.delete();
  });

  test('is read from its new beginning with latest also when the group had noticed that it was gone', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { 'auto.offset.reset': 'latest' });
    await until('it has its partition', async () => {
      await consumer.poll('timeout=300');
      return (await assignedTo(consumer)).length > 0;
    });
    await kafka.write(topic, numbered(1, 'old'));
    expect(valuesOf(await consumer.take(1))).toEqual(['old0']);
    await deleteTopic(topic);
    await until('the partition is taken away', async () => {
      await consumer.poll('timeout=100');
      return (await assignedTo(consumer)).length === 0;
    });
    await kafka.createTopic(topic);
    await kafka.write(topic, numbered(3, 'new'));
    expect(valuesOf(await consumer.take(3))).toEqual(['new0', 'new1', 'new2']);
    await consumer.delete();
  });

  test('takes records again from a producer that never stopped, and loses none that was acknowledged', async () => {
    const topic = await kafka.topic(3);
    expect((await bridge.produce(topic, { records: [{ value: 'old' }] })).body.offsets[0]).toHaveProperty('offset');
    let isOver = false;
    const stored: string[] = [];
    let wasRecreated = false;
    const producing = (async () => {
      for (let index = 0; !isOver; index += 1) {
        const [wasNew, value] = [wasRecreated, `v${index}`];
        const [entry] = (await bridge.produce(topic, { records: [{ value }] })).body.offsets;
        if (wasNew && 'offset' in entry) stored.push(value);
      }
    })();
    await deleteTopic(topic);
    // Fewer partitions than before.
    await kafka.createTopic(topic, 1);
    wasRecreated = true;
    await until('records are stored again', () => stored.length >= 20, { timeoutMs: 60_000 });
    isOver = true;
    await producing;
    const messages = await kafka.read(topic, stored.length);
    const found = new Set(messages.map(({ value }) => JSON.parse(value?.toString() ?? 'null')));
    expect(stored.filter((value) => !found.has(value))).toEqual([]);
  });
});

test('a group’s partitions that are added while others read are read by a member', async () => {
  const topic = await kafka.topic(1);
  const group = unique('group');
  const consumers = await Promise.all(['a', 'b'].map((name) => bridge.consumer(group, name, [topic])));
  await Promise.all(consumers.map((consumer) => consumer.poll('timeout=500')));
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  const records: ConsumedJson[] = [];
  await kafka.write(
    topic,
    [0, 1, 2, 3].map((partition) => ({ value: `${partition}`, partition })),
  );
  await until('every partition is read', async () => {
    const answers = await Promise.all(consumers.map((consumer) => consumer.poll('timeout=300')));
    for (const { body } of answers) records.push(...body);
    return new Set(valuesOf(records)).size === 4;
  });
  // The writer may have repeated itself where a new partition was not yet known.
  const places = records.map(({ partition, offset }) => `${partition} ${offset}`);
  expect(new Set(places).size).toBe(places.length);
});

import { describe, expect, test } from 'vitest';
import { bridgeOfFile, type ConsumedJson, kafkaOfFile, type TestConsumer } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { until } from '../../../../test/harness/until.ts';

const CONFLICT = {
  error_code: 409,
  message: 'Subscriptions to topics, partitions, and patterns are mutually exclusive.',
};
const NOT_SUBSCRIBED = 'Consumer is not subscribed to any topics or assigned any partitions';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile({ consumers: { topicRefreshMs: 200 } });

function assign(consumer: TestConsumer, body: unknown) {
  return bridge.post(`${consumer.path}/assignments`, body);
}

function subscribe(consumer: TestConsumer, body: unknown) {
  return bridge.post(`${consumer.path}/subscription`, body);
}

function valuesOf(records: readonly ConsumedJson[]): unknown[] {
  return records.map(({ value }) => value);
}

function numbered(count: number, partition = 0): { value: string; partition: number }[] {
  return Array.from({ length: count }, (_, index) => ({ value: String(index), partition }));
}

describe('assigned partitions', () => {
  test('are read without joining the group, from the committed positions', async () => {
    const group = unique('group');
    const topic = await kafka.topic(2);
    await kafka.write(topic, [...numbered(3, 0), ...numbered(5, 1)]);
    const consumer = await bridge.consumer(group, 'c', []);
    await consumer.commit({ offsets: [{ topic, partition: 1, offset: 3 }] });
    expect(await assign(consumer, { partitions: [{ topic, partition: 1 }] })).toMatchObject({ status: 204, text: '' });
    expect(valuesOf(await consumer.take(2))).toEqual([3, 4]);
    expect(await kafka.members(group)).toEqual([]);
    // The next poll commits the delivered records.
    await consumer.poll('timeout=50');
    await until('it is committed', async () => (await kafka.committed(group, topic))[1] !== 3);
    expect(await kafka.committed(group, topic)).toEqual([-1, 5]);
    expect((await bridge.get(`${consumer.path}/subscription`)).body).toEqual({
      topics: [topic],
      partitions: [{ [topic]: [1] }],
    });
  });

  test('are replaced by the next list; partitions in both keep their positions', async () => {
    const topic = await kafka.topic(3);
    await kafka.write(topic, [...numbered(2, 0), ...numbered(2, 1), ...numbered(2, 2)]);
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    const partition = (number: number) => ({ topic, partition: number });
    await assign(consumer, { partitions: [partition(0), partition(1)] });
    await consumer.take(4);
    await assign(consumer, { partitions: [partition(1), partition(2)] });
    expect((await consumer.take(2)).map((record) => record.partition)).toEqual([2, 2]);
    expect((await consumer.poll('timeout=100')).body).toEqual([]);
    await consumer.delete();
  });

  test('need not exist, and do not delay those that do', async () => {
    const topic = await kafka.topic();
    const soon = unique('soon');
    await kafka.write(topic, numbered(1));
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    const partitions = [
      { topic: soon, partition: 0 },
      { topic, partition: 9 },
      { topic, partition: -1 },
      { topic, partition: 0 },
    ];
    expect((await assign(consumer, { partitions })).status).toBe(204);
    expect(valuesOf(await consumer.take(1))).toEqual([0]);
    await kafka.createTopic(soon);
    await kafka.write(soon, [{ value: '"soon"' }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['soon']);
  });

  test('have no first position without a reset policy and a commit', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', [], { 'auto.offset.reset': 'none' });
    await assign(consumer, { partitions: [{ topic, partition: 0 }] });
    expect((await consumer.poll()).body.message).toBe(
      `org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset with no reset policy for partitions: [${topic}-0]`,
    );
  });

  test('cannot be assigned while subscribed, and the reverse', async () => {
    const topic = await kafka.topic();
    const subscribed = await bridge.consumer(unique('group'), 'c', [topic]);
    expect((await assign(subscribed, { partitions: [{ topic, partition: 0 }] })).body).toEqual(CONFLICT);
    const assigned = await bridge.consumer(unique('group'), 'c', []);
    await assign(assigned, { partitions: [{ topic, partition: 0 }] });
    expect((await subscribe(assigned, { topics: [topic] })).body).toEqual(CONFLICT);
    // This check comes first.
    expect((await subscribe(assigned, {})).body).toEqual(CONFLICT);
    expect((await subscribe(assigned, { topics: [''] })).body).toEqual(CONFLICT);
  });

  test('an empty list reads no records, and still counts as an assignment', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    expect((await assign(consumer, { partitions: [] })).status).toBe(204);
    expect((await consumer.poll()).body).toEqual({
      error_code: 500,
      message: `java.lang.IllegalStateException: ${NOT_SUBSCRIBED}`,
    });
    expect((await subscribe(consumer, { topics: [topic] })).body).toEqual(CONFLICT);
    const other = await bridge.consumer(unique('group'), 'c', []);
    await subscribe(other, { topics: [] });
    expect((await assign(other, { partitions: [{ topic, partition: 0 }] })).body).toEqual(CONFLICT);
  });

  test.each([
    [{}, 422, 'A list of partitions must be specified.'],
    [{ partitions: [{ topic: 't' }] }, 422, 'Each entry of partitions must have a partition.'],
    [
      { partitions: [{ partition: 0 }] },
      500,
      'java.lang.IllegalArgumentException: Topic partitions to assign to cannot have null or empty topic',
    ],
    [
      { partitions: [{ topic: '', partition: 0 }] },
      500,
      'java.lang.IllegalArgumentException: Topic partitions to assign to cannot have null or empty topic',
    ],
    [{ partitions: [{ topic: 't', partition: 2 ** 31 }] }, 400, 'Validation error on: Schema validation error'],
  ])('%j is refused', async (body, status, message) => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    expect((await assign(consumer, body)).body).toMatchObject({ error_code: status, message });
  });
});

describe('a subscription', () => {
  test('is listed once the group has assigned partitions', async () => {
    const [a, b] = [await kafka.topic(2), await kafka.topic(1)];
    const consumer = await bridge.consumer(unique('group'), 'c', [a, b]);
    const shown = await bridge.get(`${consumer.path}/subscription`);
    expect(shown).toMatchObject({ status: 200, text: '{"topics":[],"partitions":[]}' });
    expect(shown.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
    const subscribed = async () => (await bridge.get(`${consumer.path}/subscription`)).body;
    await until('it has its partitions', async () => {
      await consumer.poll('timeout=300');
      return (await subscribed()).partitions.length > 0;
    });
    const body = await subscribed();
    expect(body.topics.sort()).toEqual([a, b].sort());
    expect(Object.assign({}, ...body.partitions)).toEqual({ [a]: [0, 1], [b]: [0] });
  });

  test('ends with all delivered records committed, and another one may start', async () => {
    const group = unique('group');
    const topic = await kafka.topic(1);
    await kafka.write(topic, numbered(2));
    const consumer = await bridge.consumer(group, 'c', [topic]);
    await consumer.take(2);
    const path = `${consumer.path}/subscription`;
    for (let time = 0; time < 2; time += 1) {
      expect(await bridge.request('DELETE', path)).toMatchObject({ status: 204, text: '' });
    }
    expect(await kafka.committed(group, topic)).toEqual([2]);
    expect(await kafka.members(group)).toEqual([]);
    expect((await consumer.poll()).body).toEqual({ error_code: 500, message: NOT_SUBSCRIBED });
    expect((await bridge.get(path)).text).toBe('{"topics":[],"partitions":[]}');
    await assign(consumer, { partitions: [{ topic, partition: 0 }] });
    await kafka.write(topic, [{ value: '"assigned"' }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['assigned']);
    await bridge.request('DELETE', path);
    await subscribe(consumer, { topics: [topic] });
    await kafka.write(topic, [{ value: '"subscribed"' }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['subscribed']);
  });
});

describe('a pattern', () => {
  test('reads the topics that match as a whole, also later ones, and their new partitions', async () => {
    const prefix = unique('pattern');
    const [first, second, other] = [`${prefix}.a1`, `${prefix}.a2`, `${prefix}.a1.b`];
    await kafka.createTopic(first);
    await kafka.createTopic(other);
    await kafka.write(first, [{ value: '"first"' }]);
    await kafka.write(other, [{ value: '"other"' }]);
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    expect(await subscribe(consumer, { topic_pattern: `${prefix}\\.a\\d` })).toMatchObject({ status: 204, text: '' });
    expect(valuesOf(await consumer.take(1))).toEqual(['first']);
    // A waiting poll gets new records.
    const waiting = consumer.poll('timeout=20000');
    await kafka.createTopic(second);
    await kafka.write(second, [{ value: '"second"' }]);
    expect(valuesOf((await waiting).body)).toEqual(['second']);
    await kafka.admin.createPartitions({ topicPartitions: [{ topic: second, count: 2 }] });
    await kafka.write(second, [{ value: '"new partition"', partition: 1 }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['new partition']);
    const { body } = await bridge.get(`${consumer.path}/subscription`);
    expect(body.topics.sort()).toEqual([first, second]);
    await consumer.delete();
  });

  test('does not read internal topics', async () => {
    const topic = await kafka.topic();
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    await subscribe(consumer, { topic_pattern: `${topic}|__consumer_offsets` });
    const topics = async () => (await bridge.get(`${consumer.path}/subscription`)).body.topics;
    await until('it has its partition', async () => {
      await consumer.poll('timeout=300');
      return (await topics()).length > 0;
    });
    expect(await topics()).toEqual([topic]);
  });

  test('may match nothing', async () => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    await subscribe(consumer, { topic_pattern: unique('nowhere') });
    expect(await consumer.poll('timeout=300')).toMatchObject({ status: 200, body: [] });
  });

  test('is replaced by another, and not mixed with a list', async () => {
    const [a, b] = [await kafka.topic(), await kafka.topic()];
    await kafka.write(b, [{ value: '"b"' }]);
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    await subscribe(consumer, { topic_pattern: a });
    await subscribe(consumer, { topic_pattern: b });
    expect(valuesOf(await consumer.take(1))).toEqual(['b']);
    const exclusive = {
      error_code: 500,
      message: 'java.lang.IllegalStateException: Subscription to topics, partitions and pattern are mutually exclusive',
    };
    expect((await subscribe(consumer, { topics: [a] })).body).toEqual(exclusive);
    const listed = await bridge.consumer(unique('group'), 'c', [a]);
    expect((await subscribe(listed, { topic_pattern: b })).body).toEqual(exclusive);
    expect((await subscribe(listed, { topics: [a], topic_pattern: b })).body).toEqual(CONFLICT);
  });

  test.each([
    ['(', 'java.util.regex.PatternSyntaxException: Unclosed group near index 1\n('],
    ['', 'java.lang.IllegalArgumentException: Topic pattern to subscribe to cannot be empty'],
  ])('%j is refused', async (topic_pattern, message) => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    expect((await subscribe(consumer, { topic_pattern })).body).toEqual({ error_code: 500, message });
  });
});

test('partitions that are added to a subscribed topic are read', async () => {
  const topic = await kafka.topic(1);
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  await consumer.poll('timeout=500');
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
  await kafka.write(topic, [{ value: '"new"', partition: 2 }]);
  expect(valuesOf(await consumer.take(1))).toEqual(['new']);
});

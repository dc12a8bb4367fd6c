import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../../test/harness/cluster.ts';
import { CountingClient } from '../../../../test/harness/counting-client.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../test/harness/stopwatch.ts';
import { until } from '../../../../test/harness/until.ts';
import { within } from '../kafka/client/limits.ts';
import { partitionForKey } from '../kafka/produce/produce.ts';
import { ProducerId } from '../kafka/produce/producer-id.ts';
import { ensureSessionTopic, SESSION_PARTITION_COUNT } from '../ownership/session-topic.ts';
import { SESSION_TOPIC } from '../ownership/session-topic-name.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import { Batcher, type BatcherOptions } from './batcher.ts';
import { serializedBytes } from './record-size.ts';

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

function newBatcher(options: Partial<BatcherOptions> = {}): { batcher: Batcher; client: CountingClient } {
  const client = new CountingClient(cluster, { acks: 'all', timeoutMs: 20_000, compression: 'none' });
  const batcher = new Batcher(cluster, client, {
    maxBlockMs: 30_000,
    deliveryTimeoutMs: 30_000,
    maxRequestBytes: 1_048_576,
    maxBatchBytes: 1_048_576,
    maxBatchRecords: 10_000,
    maxQueuedBytes: 10_000_000,
    producerId: new ProducerId(cluster, () => {}),
    ...options,
  });
  onTestFinished(async () => {
    await batcher.close();
    await client.close();
  });
  return { batcher, client };
}

function record(value: string | null, rest: Partial<RecordToProduce> = {}): RecordToProduce {
  return {
    key: null,
    value: value === null ? null : Buffer.from(value),
    headers: undefined,
    partition: undefined,
    timestampMs: undefined,
    ...rest,
  };
}

function stored(results: readonly ProduceResult[]): { partition: number; offset: bigint }[] {
  return results.map((result) => {
    if (!('offset' in result)) throw new Error(result.message);
    return result;
  });
}

test('records are read back by another client as they were sent', async () => {
  const topic = await kafka.topic();
  const { batcher } = newBatcher();
  const results = await batcher.send(topic, [
    record('v', {
      key: Buffer.from('k'),
      timestampMs: 1000n,
      headers: [
        [Buffer.from('h'), Buffer.from('1')],
        [Buffer.from('h'), Buffer.from('2')],
      ],
    }),
    record(null, { key: Buffer.from('k') }),
    record('', { key: Buffer.alloc(0) }),
  ]);
  expect(results).toEqual([0n, 1n, 2n].map((offset) => ({ partition: 0, offset })));
  const [first, second, third] = await kafka.read(topic, 3);
  expect(first).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('v'), timestamp: '1000' });
  expect(first?.headers?.['h']).toEqual([Buffer.from('1'), Buffer.from('2')]);
  expect(second).toMatchObject({ key: Buffer.from('k'), value: null });
  expect(third).toMatchObject({ key: Buffer.alloc(0), value: Buffer.alloc(0) });
  expect(Number(second?.timestamp)).toBeGreaterThan(Date.now() - 60_000);
});

test('requests of many clients share few sends, in order for each partition', async () => {
  const topic = await kafka.topic();
  const { batcher, client } = newBatcher();
  await batcher.send(topic, [record('warm')]);
  client.sentCounts.length = 0;
  const sends = Array.from({ length: 200 }, (_, index) => batcher.send(topic, [record(`v${index}`)]));
  const offsets = (await Promise.all(sends)).flatMap(stored).map(({ offset }) => offset);
  expect(offsets).toEqual(Array.from({ length: 200 }, (_, index) => BigInt(index + 1)));
  expect(client.sentCounts).toEqual([200]);
  const messages = await kafka.read(topic, 201);
  expect(messages.slice(1).map(({ value }) => value?.toString())).toEqual(sends.map((_, index) => `v${index}`));
});

describe('records that wait for others', () => {
  const MINUTE_MS = 60_000;

  test('go together when their time is over, again and again', async () => {
    const topic = await kafka.topic();
    const lingerMs = 3000;
    const { batcher, client } = newBatcher({ lingerMs });
    // Or the first would wait for the topic to be found.
    await cluster.topics([topic], within(20_000));
    const startedAtMs = performance.now();
    const first = batcher.send(topic, [record('1')]);
    const second = delay(100).then(() => batcher.send(topic, [record('2')]));
    const third = first.then(() => batcher.send(topic, [record('3')]));
    await first;
    // A timer may be a little early.
    expect(performance.now() - startedAtMs).toBeGreaterThan(lingerMs - 100);
    const fourth = delay(100).then(() => batcher.send(topic, [record('4')]));
    await Promise.all([second, third, fourth]);
    expect(client.sentCounts).toEqual([2, 2]);
  });

  test('go at once when they fill a batch', async () => {
    const topic = await kafka.topic();
    const { batcher, client } = newBatcher({ lingerMs: MINUTE_MS, maxBatchRecords: 3 });
    await Promise.all(['1', '2', '3'].map((value) => batcher.send(topic, [record(value)])));
    expect(client.sentCounts).toEqual([3]);
  });

  test('go at once when the bridge stops', async () => {
    const topic = await kafka.topic();
    const { batcher } = newBatcher({ lingerMs: MINUTE_MS, deliveryTimeoutMs: MINUTE_MS });
    const sent = batcher.send(topic, [record('1')]);
    await batcher.close();
    expect(stored(await sent)).toEqual([{ partition: 0, offset: 0n }]);
  });
});

describe('timestamps far apart', () => {
  const MAX_TIMESTAMP = 2n ** 63n - 1n;
  const ANY_TIMESTAMP = {
    'message.timestamp.before.max.ms': String(MAX_TIMESTAMP),
    'message.timestamp.after.max.ms': String(MAX_TIMESTAMP),
  };
  /** Where a varlong gets longer. */
  const steps = Array.from({ length: 63 }, (_, power) => [2n ** BigInt(power) - 1n, 2n ** BigInt(power)]).flat();

  test.each([
    ['from the earliest', [0n, ...steps, MAX_TIMESTAMP]],
    ['from the latest', [MAX_TIMESTAMP, ...steps, 0n]],
    ['from now', [BigInt(Date.now()), ...steps, undefined, 0n, undefined]],
    ['from one that the bridge gives', [undefined, ...steps, undefined]],
    ['up and down', Array.from({ length: 1000 }, (_, index) => (index % 2 === 0 ? 1000n : 1_700_000_000_000n))],
  ])('share a batch and do not change each other: %s', async (_, times) => {
    const topic = await kafka.topic(1, ANY_TIMESTAMP);
    const { batcher, client } = newBatcher();
    await cluster.topics([topic], within(20_000));
    const startedAtMs = Date.now();
    const results = await batcher.send(
      topic,
      times.map((timestampMs, index) => record(`v${index}`, { timestampMs })),
    );
    expect(stored(results).map(({ offset }) => offset)).toEqual(times.map((_, index) => BigInt(index)));
    expect(client.sentCounts).toEqual([times.length]);
    const read = await kafka.read(topic, times.length);
    expect(read.map(({ value }) => String(value))).toEqual(times.map((_, index) => `v${index}`));
    for (const [index, { timestamp }] of read.entries()) {
      const time = times[index];
      if (time !== undefined) expect(BigInt(timestamp)).toBe(time);
      else expect(Number(timestamp)).toBeGreaterThanOrEqual(startedAtMs);
    }
  });
});

test('records that arrive while a request is in flight go into the next one', async () => {
  const topic = await kafka.topic();
  const { batcher, client } = newBatcher();
  await batcher.send(topic, [record('warm')]);
  client.sentCounts.length = 0;
  const first = batcher.send(topic, [record('a')]);
  await until('the first is in flight', () => client.sentCounts.length === 1);
  const later = [batcher.send(topic, [record('b')]), batcher.send(topic, [record('c'), record('d')])];
  await Promise.all([first, ...later]);
  expect(client.sentCounts).toEqual([1, 3]);
});

test('a key goes to the partition that Kafka clients in Java choose', async () => {
  const topic = await kafka.topic(7);
  const keys = Array.from({ length: 300 }, (_, index) => `key-${index}-${'é'.repeat(index % 5)}`);
  // kafkajs' partitioner is compatible with the one in Java.
  await kafka.write(
    topic,
    keys.map((key) => ({ key, value: 'v' })),
  );
  const chosen = new Map(
    (await kafka.read(topic, keys.length)).map(({ key, partition }) => [key?.toString(), partition]),
  );
  for (const key of keys) expect(partitionForKey(Buffer.from(key), 7)).toBe(chosen.get(key));
  const { batcher } = newBatcher();
  const results = stored(
    await batcher.send(
      topic,
      keys.map((key) => record('v', { key: Buffer.from(key) })),
    ),
  );
  expect(results.map(({ partition }) => partition)).toEqual(keys.map((key) => chosen.get(key)));
});

test('records without a key stay together in a send, and the next send goes elsewhere', async () => {
  const topic = await kafka.topic(3);
  const { batcher } = newBatcher();
  const partitions = new Set<number>();
  for (let round = 0; round < 30; round += 1) {
    const results = stored(await batcher.send(topic, [record('a'), record('b')]));
    expect(results[0]?.partition).toBe(results[1]?.partition);
    partitions.add(results[0]?.partition ?? -1);
  }
  expect(partitions.size).toBe(3);
});

test('a partition that the topic does not have is an entry of its own, and stored nowhere', async () => {
  const topic = await kafka.topic(2);
  const { batcher } = newBatcher({ maxBlockMs: 500 });
  await cluster.topics([topic], within(20_000));
  const results = await batcher.send(topic, [record('a', { partition: 1 }), record('b', { partition: 2 })]);
  expect(results).toEqual([
    { partition: 1, offset: 0n },
    {
      errorCode: 404,
      message: `Partition 2 of topic ${topic} with partition count 2 is not present in metadata after 500 ms.`,
    },
  ]);
  // The library's producer would have written it to partition 0.
  const ends = await kafka.admin.fetchTopicOffsets(topic);
  expect(Object.fromEntries(ends.map(({ partition, high }) => [partition, high]))).toEqual({ 0: '0', 1: '1' });
});

test('a partition that was added a moment ago is found', async () => {
  const topic = await kafka.topic(1);
  const { batcher } = newBatcher();
  await batcher.send(topic, [record('a')]);
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
  await until('the broker reports it', async () => {
    const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length === 2;
  });
  expect(stored(await batcher.send(topic, [record('b', { partition: 1 })]))).toEqual([{ partition: 1, offset: 0n }]);
});

test('a topic that does not exist is waited for once, whatever the number of records', async () => {
  const { batcher } = newBatcher({ maxBlockMs: 3000 });
  const topic = unique('nowhere');
  const watch = new Stopwatch();
  const results = await batcher.send(topic, [record('a'), record('b'), record('c')]);
  // One after the other they would take nine.
  expect(watch.stop()).toBeLessThan(8000);
  const entry = { errorCode: 404, message: `Topic ${topic} not present in metadata after 3000 ms.` };
  expect(results).toEqual([entry, entry, entry]);
});

test('a topic that is created meanwhile gets the records', async () => {
  const { batcher } = newBatcher();
  const topic = unique('soon');
  const sent = batcher.send(topic, [record('a')]);
  await kafka.createTopic(topic);
  expect(stored(await sent)).toEqual([{ partition: 0, offset: 0n }]);
});

test('an illegal topic name and an internal topic are refused by entries', async () => {
  const { batcher } = newBatcher();
  expect(await batcher.send('bad name!', [record('a')])).toEqual([
    { errorCode: 500, message: 'Invalid topics: [bad name!]' },
  ]);
  await kafka.committed(unique('group'), await kafka.topic());
  // Kafka's own, and the bridges': who writes there owns every consumer.
  const partitionCount = SESSION_PARTITION_COUNT;
  await ensureSessionTopic(cluster, { topic: SESSION_TOPIC, partitionCount, limits: within(30_000) });
  for (const internal of ['__consumer_offsets', SESSION_TOPIC]) {
    expect(await batcher.send(internal, [record('a')])).toEqual([
      { errorCode: 500, message: 'The request attempted to perform an operation on an invalid topic.' },
    ]);
  }
});

test('a deleted topic is an error entry, and not retried endlessly', async () => {
  const topic = await kafka.topic();
  const { batcher } = newBatcher({ deliveryTimeoutMs: 5000 });
  await batcher.send(topic, [record('a')]);
  await kafka.admin.deleteTopics({ topics: [topic] });
  await until('the topic is gone', async () => !(await kafka.admin.listTopics()).includes(topic));
  const [result] = await batcher.send(topic, [record('b')]);
  expect(result).toMatchObject({ errorCode: 404 });
});

describe('a record that is at fault fails alone', () => {
  test('when it is larger than a request may be', async () => {
    const topic = await kafka.topic();
    const { batcher } = newBatcher({ maxRequestBytes: 2000 });
    const results = await batcher.send(topic, [record('x'.repeat(2000)), record('ok')]);
    expect(results).toEqual([
      {
        errorCode: 500,
        message: `The message is ${serializedBytes(record('x'.repeat(2000)))} bytes when serialized which is larger than 2000, which is the value of the max.request.size configuration.`,
      },
      { partition: 0, offset: 0n },
    ]);
  });

  test('when it is larger than its topic takes', async () => {
    const topic = await kafka.topic(1, { 'max.message.bytes': '1000' });
    const { batcher } = newBatcher();
    const sends = ['a', 'b', 'x'.repeat(1500), 'c', 'd'].map((value) => batcher.send(topic, [record(value)]));
    const results = (await Promise.all(sends)).flat();
    expect(results[2]).toEqual({
      errorCode: 500,
      message: expect.stringContaining('larger than the max message size'),
    });
    expect(stored(results.filter((_, index) => index !== 2)).map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n]);
    const messages = await kafka.read(topic, 4);
    expect(messages.map(({ value }) => value?.toString())).toEqual(['a', 'b', 'c', 'd']);
  });

  test('when its time is out of range', async () => {
    const topic = await kafka.topic();
    const { batcher } = newBatcher();
    const future = BigInt(Date.now()) + 10n * 24n * 3_600_000n;
    const sends = [record('a'), record('b', { timestampMs: future }), record('c')].map((one) =>
      batcher.send(topic, [one]),
    );
    const results = (await Promise.all(sends)).flat();
    expect(results[1]).toEqual({
      errorCode: 500,
      message: expect.stringMatching(/^Timestamp \d+ of message with offset \d+ is out of range\./),
    });
    expect(stored([results[0], results[2]] as ProduceResult[]).map(({ offset }) => offset)).toEqual([0n, 1n]);
  });
});

test('more than may be queued is refused at once, and room is made by what is stored', async () => {
  const topic = await kafka.topic();
  const { batcher } = newBatcher({ maxQueuedBytes: 3000 });
  const first = batcher.send(topic, [record('x'.repeat(2000))]);
  expect(() => batcher.send(topic, [record('y'.repeat(2000))])).toThrow(
    expect.objectContaining({ code: 'overloaded', retryAfterSeconds: 1 }),
  );
  stored(await first);
  expect(batcher.queuedBytes).toBe(0);
  stored(await batcher.send(topic, [record('z'.repeat(2000))]));
});

test('the body that a record keeps in memory counts as queued', async () => {
  const topic = await kafka.topic();
  const { batcher } = newBatcher({ maxQueuedBytes: 10_000 });
  const first = batcher.send(topic, [record('a'), record('b')], 9000);
  expect(batcher.queuedBytes).toBe(9000);
  expect(() => batcher.send(topic, [record('c')], 2000)).toThrow(expect.objectContaining({ code: 'overloaded' }));
  stored(await first);
  expect(batcher.queuedBytes).toBe(0);
  stored(await batcher.send(topic, [record('c')], 2000));
});

test('large queues go out in several requests, none larger than its limits', async () => {
  const topic = await kafka.topic();
  const { batcher, client } = newBatcher({ maxBatchBytes: 5000, maxRequestBytes: 5000, maxBatchRecords: 3 });
  await batcher.send(topic, [record('warm')]);
  client.sentCounts.length = 0;
  const small = Array.from({ length: 7 }, (_, index) => record(`${index}`));
  stored(await batcher.send(topic, small));
  expect(client.sentCounts).toEqual([3, 3, 1]);
  client.sentCounts.length = 0;
  stored(
    await batcher.send(
      topic,
      Array.from({ length: 3 }, () => record('x'.repeat(2000))),
    ),
  );
  expect(client.sentCounts).toEqual([2, 1]);
});

test('a closed producer refuses records, and finishes those that it has', async () => {
  const topic = await kafka.topic();
  const { batcher } = newBatcher();
  const sent = batcher.send(topic, [record('last')]);
  const closed = batcher.close();
  expect(() => batcher.send(topic, [record('late')])).toThrow(expect.objectContaining({ code: 'shuttingDown' }));
  await closed;
  stored(await sent);
});

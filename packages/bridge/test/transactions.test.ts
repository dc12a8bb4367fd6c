/** What consumers see of another client's transactions. */
import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, beforeEach, expect, inject, onTestFinished, test } from 'vitest';
import { type ConsumedJson, TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type TransactionEnd, transactionalProducer, writeInTransaction } from '../../../test/harness/transaction.ts';
import { until } from '../../../test/harness/until.ts';

let kafka: KafkaView;
let bridge: TestBridge;
let open: Producer;
let topic: string;

beforeAll(async () => {
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  bridge = await TestBridge.start(inject('kafkaBootstrap'), { consumers: { fetchMaxWaitMs: 200 } });
  open = transactionalProducer(inject('kafkaBootstrap'));
  await open.connect();
});

afterAll(async () => {
  await open?.disconnect();
  await bridge?.close();
  await kafka?.close();
});

beforeEach(async () => {
  topic = await kafka.topic();
});

async function transaction(values: string[], end: TransactionEnd): Promise<void> {
  await writeInTransaction(inject('kafkaBootstrap'), { topic, messages: values.map(asMessage), end });
}

function asMessage(value: string): { value: string } {
  return { value: JSON.stringify(value) };
}

async function reader(isolation: string, options: object = {}): Promise<TestConsumer> {
  return await bridge.consumer(unique('group'), 'c', [topic], { 'isolation.level': isolation, ...options });
}

function seen(records: readonly ConsumedJson[]): (string | number)[][] {
  return records.map(({ offset, value }) => [offset, value as string]);
}

async function endOffset(): Promise<number> {
  return (await bridge.get(`/topics/${topic}/partitions/0/offsets`)).body.end_offset;
}

async function position(consumer: TestConsumer): Promise<number | undefined> {
  return (await bridge.get(`${consumer.path}/positions`)).body.offsets[0]?.offset;
}

test('aborted records are delivered with read_uncommitted alone, and markers never', async () => {
  // Offsets: a b marker, x marker, c, y z marker, d marker.
  await transaction(['a', 'b'], 'commit');
  await transaction(['x'], 'abort');
  await kafka.write(topic, [asMessage('c')]);
  await transaction(['y', 'z'], 'abort');
  await transaction(['d'], 'commit');
  const [committed, uncommitted] = await Promise.all([reader('read_committed'), reader('read_uncommitted')]);
  expect(seen(await uncommitted.take(7))).toEqual([
    ...[
      [0, 'a'],
      [1, 'b'],
      [3, 'x'],
      [5, 'c'],
      [6, 'y'],
      [7, 'z'],
      [9, 'd'],
    ],
  ]);
  expect(seen(await committed.take(4))).toEqual([
    ...[
      [0, 'a'],
      [1, 'b'],
      [5, 'c'],
      [9, 'd'],
    ],
  ]);
  for (const consumer of [committed, uncommitted]) {
    // The position moves behind the last marker, without a record.
    await until('the position is at the end', async () => {
      expect((await consumer.poll('timeout=300')).body).toEqual([]);
      return (await position(consumer)) === 11;
    });
    expect(await consumer.commit()).toMatchObject({ status: 204 });
  }
  expect(await endOffset()).toBe(11);
});

test('a topic that ends with aborted records alone lets a consumer get to its end and on', async () => {
  await transaction(['x', 'y', 'z'], 'abort');
  const consumer = await reader('read_committed');
  expect((await consumer.poll('timeout=500')).body).toEqual([]);
  await until('the position is at the end', async () => {
    await consumer.poll('timeout=300');
    return (await position(consumer)) === 4;
  });
  await transaction(['a'], 'commit');
  expect(seen(await consumer.take(1))).toEqual([[4, 'a']]);
});

test('an open transaction holds back what comes after it, until it ends', async () => {
  await transaction(['a'], 'commit');
  const running = await open.transaction();
  await running.send({ topic, messages: [asMessage('open')] });
  await kafka.write(topic, [asMessage('after')]);
  const [committed, uncommitted] = await Promise.all([reader('read_committed'), reader('read_uncommitted')]);
  expect(seen(await uncommitted.take(3))).toEqual([
    ...[
      [0, 'a'],
      [2, 'open'],
      [3, 'after'],
    ],
  ]);
  expect(seen(await committed.take(1))).toEqual([[0, 'a']]);
  expect((await committed.poll('timeout=500')).body).toEqual([]);
  // Not beyond the last stable offset, also by a seek to the end.
  await until('the position is at the last stable offset', async () => {
    await committed.poll('timeout=300');
    return (await position(committed)) === 2;
  });
  await bridge.post(`${committed.path}/positions/end`, { partitions: [{ topic, partition: 0 }] });
  expect(await position(committed)).toBe(2);
  // A poll that waits sees the end of the transaction.
  const waiting = committed.poll('timeout=10000');
  await running.commit();
  const first = (await waiting).body;
  const rest = first.length < 2 ? await committed.take(2 - first.length) : [];
  expect(seen([...first, ...rest])).toEqual([
    ...[
      [2, 'open'],
      [3, 'after'],
    ],
  ]);
});

test('what a consumer committed is beyond the markers, so that another one begins there', async () => {
  const group = unique('group');
  await transaction(['a'], 'commit');
  await transaction(['x'], 'abort');
  const options = { 'isolation.level': 'read_committed', 'enable.auto.commit': false };
  const first = await bridge.consumer(group, 'first', [topic], options);
  expect(seen(await first.take(1))).toEqual([[0, 'a']]);
  await until('the position is at the end', async () => {
    await first.poll('timeout=300');
    return (await position(first)) === 4;
  });
  expect((await first.commit()).status).toBe(204);
  expect(await kafka.committed(group, topic)).toEqual([4]);
  await first.delete();
  await transaction(['b'], 'commit');
  const second = await bridge.consumer(group, 'second', [topic], options);
  expect(seen(await second.take(1))).toEqual([[4, 'b']]);
});

test('a consumer keeps the level with which it was created at a bridge with another default', async () => {
  const [name, consumers] = ['committed', { fetchMaxWaitMs: 200, defaultIsolationLevel: 'read_committed' }];
  const other = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name }, consumers });
  onTestFinished(() => other.close());
  await transaction(['x'], 'abort');
  await kafka.write(topic, [asMessage('c')]);
  const uncommitted = { 'isolation.level': 'read_uncommitted' };
  const created = [
    { at: bridge, adopter: other, options: {}, expected: ['x', 'c'] },
    { at: other, adopter: bridge, options: {}, expected: ['c'] },
    { at: other, adopter: bridge, options: uncommitted, expected: ['x', 'c'] },
  ];
  await Promise.all(
    created.map(async ({ at, adopter, options, expected }) => {
      const { path } = await at.consumer(unique('group'), 'c', [topic], { 'enable.auto.commit': false, ...options });
      for (const reader of [at, adopter]) {
        const values: unknown[] = [];
        await until('the consumer has read the topic', async () => {
          const { status, body } = await reader.get(`${path}/records?timeout=1000`);
          expect(status).toBe(200);
          values.push(...body.map(({ value }: ConsumedJson) => value));
          return values.includes('c');
        });
        expect(values).toEqual(expected);
        // What the client has read comes again: the adopter shows what it reads by itself.
        expect(
          (await reader.post(`${path}/positions/beginning`, { partitions: [{ topic, partition: 0 }] })).status,
        ).toBe(204);
      }
    }),
  );
});

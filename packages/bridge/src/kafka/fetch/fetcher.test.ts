import { setTimeout as delay } from 'node:timers/promises';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { connectionsApiChannel, connectionsConnectsChannel } from '@platformatic/kafka';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { kafkaOfFile } from '../../../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../../../test/harness/cluster.ts';
import { unique } from '../../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../../test/harness/stopwatch.ts';
import { transactionalProducer, untilMarked } from '../../../../../test/harness/transaction.ts';
import { until } from '../../../../../test/harness/until.ts';
import type { StoredRecord } from '../../records.ts';
import { within } from '../client/limits.ts';
import { listOffsets } from '../client/list-offsets.ts';
import { GroupCoordinator } from '../group/coordinator.ts';
import { FetchBudget } from './fetch-budget.ts';
import { Fetcher, type FetcherOptions, type OutOfRangePolicy } from './fetcher.ts';
import type { Checkpoint } from './partitions.ts';
import type { RecordReader } from './record-reader.ts';

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

async function fetcherOf(
  topic: string,
  options: Partial<FetcherOptions> & { partitionCount?: number; position?: bigint; policy?: OutOfRangePolicy } = {},
): Promise<Fetcher> {
  const { partitionCount = 1, position = 0n, policy = 'reset', ...rest } = options;
  await cluster.topics([topic], within(20_000));
  const fetcher = new Fetcher(cluster, policy, {
    clientId: 'test',
    isolationLevel: 'read_uncommitted',
    minBytes: 1,
    maxBytes: 1_048_576,
    maxWaitMs: 5000,
    isChecking: true,
    requestTimeoutMs: 20_000,
    budget: new FetchBudget(Number.POSITIVE_INFINITY),
    ...rest,
  });
  onTestFinished(() => fetcher.close());
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }));
  fetcher.assign(partitions);
  fetcher.partitions.setPositions(partitions.map((partition) => ({ ...partition, offset: position })));
  return fetcher;
}

function values(records: readonly StoredRecord[]): (string | undefined)[] {
  return records.map(({ value }) => value?.toString());
}

function numbered(count: number): { value: string }[] {
  return Array.from({ length: count }, (_, index) => ({ value: `v${index}` }));
}

interface Read {
  reader: RecordReader;
  records: StoredRecord[];
}

function read(fetcher: Fetcher, maxCount: number): Read {
  const reader = fetcher.partitions.read(maxCount);
  const records: StoredRecord[] = [];
  while (reader.next()) records.push(reader.record);
  return { reader, records };
}

function peek(fetcher: Fetcher, maxCount: number): StoredRecord[] {
  return read(fetcher, maxCount).records;
}

function take(fetcher: Fetcher, maxCount: number): Checkpoint {
  return fetcher.partitions.advance(read(fetcher, maxCount).reader);
}

/** So many records, and all that come after them until nothing more does. */
async function drain(fetcher: Fetcher, count: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  while (true) {
    await fetcher.fill(within(records.length < count ? 20_000 : 500));
    const next = read(fetcher, 1000);
    if (next.records.length === 0) return records;
    fetcher.partitions.advance(next.reader);
    records.push(...next.records);
  }
}

test('records before the position are left out, although the broker sends whole batches', async () => {
  const topic = await kafka.topic();
  await kafka.write(topic, numbered(5));
  const fetcher = await fetcherOf(topic, { position: 3n });
  await fetcher.fill(within(20_000));
  expect(values(peek(fetcher, 10))).toEqual(['v3', 'v4']);
});

test('positions move only for taken records, and back when these are returned', async () => {
  const topic = await kafka.topic();
  await kafka.write(topic, numbered(5));
  const fetcher = await fetcherOf(topic);
  await fetcher.fill(within(20_000));
  expect(values(peek(fetcher, 2))).toEqual(['v0', 'v1']);
  expect(fetcher.partitions.positions).toEqual([{ topic, partition: 0, offset: 0n }]);
  const checkpoint = take(fetcher, 2);
  expect(fetcher.partitions.positions).toEqual([{ topic, partition: 0, offset: 2n }]);
  fetcher.partitions.takeBack(checkpoint);
  expect(values(peek(fetcher, 10))).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
  take(fetcher, 10);
  expect(fetcher.partitions.hasRecords).toBe(false);
  // Also after what was fetched is gone.
  fetcher.partitions.takeBack(checkpoint);
  expect(values(peek(fetcher, 10))).toHaveLength(5);
});

test('fetched records can be dropped: they are fetched again, also after a take-back', async () => {
  const topic = await kafka.topic();
  await kafka.write(topic, numbered(5));
  const fetcher = await fetcherOf(topic);
  await fetcher.fill(within(20_000));
  const checkpoint = take(fetcher, 2);
  fetcher.partitions.dropRecords();
  expect(fetcher.partitions.hasRecords).toBe(false);
  expect(values(await drain(fetcher, 3))).toEqual(['v2', 'v3', 'v4']);
  fetcher.partitions.takeBack(checkpoint);
  expect(fetcher.partitions.hasRecords).toBe(false);
  expect(values(await drain(fetcher, 5))).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
});

test('a long wait ends with the first record, and delays no other request to the same broker', async () => {
  const topic = await kafka.topic();
  const fetcher = await fetcherOf(topic, { maxWaitMs: 60_000 });
  const filling = fetcher.fill(within(60_000));
  // On a shared connection each of these would wait for the fetch to end.
  const coordinator = new GroupCoordinator(cluster, unique('group'));
  const watch = new Stopwatch();
  await coordinator.committed([{ topic, partition: 0 }], within(20_000), { isStable: false });
  await listOffsets(cluster, [{ topic, partition: 0 }], {
    spec: 'latest',
    isolationLevel: 'read_uncommitted',
    limits: within(20_000),
  });
  // Far from the minute of the fetch.
  expect(watch.stop()).toBeLessThan(20_000);
  await kafka.write(topic, [{ value: 'now' }]);
  await filling;
  expect(values(peek(fetcher, 10))).toEqual(['now']);
});

test('a wait longer than the request timeout is not a failure', async () => {
  const topic = await kafka.topic();
  const fetcher = await fetcherOf(topic, { maxWaitMs: 6000, requestTimeoutMs: 2000 });
  let connectCount = 0;
  const onConnect = (): void => {
    connectCount += 1;
  };
  connectionsConnectsChannel.start.subscribe(onConnect);
  // The broker holds the fetch three times as long as a request may take; a timeout would cost the connection.
  await fetcher.fill(within(6200));
  connectionsConnectsChannel.start.unsubscribe(onConnect);
  expect(connectCount).toBe(1);
});

test('a wait ends when it is interrupted, and when its client goes', async () => {
  const topic = await kafka.topic();
  const fetcher = await fetcherOf(topic);
  const interrupted = fetcher.fill(within(60_000));
  fetcher.interrupt();
  await interrupted;
  const gone = new AbortController();
  const aborted = fetcher.fill(within(60_000, gone.signal));
  gone.abort(new Error('gone'));
  await expect(aborted).rejects.toThrow('gone');
});

test('partitions that stay keep their records and positions, others start again', async () => {
  const topic = await kafka.topic(2);
  await kafka.write(topic, [
    { value: 'a', partition: 0 },
    { value: 'b', partition: 1 },
  ]);
  const fetcher = await fetcherOf(topic, { partitionCount: 2 });
  expect(values(await drain(fetcher, 2)).sort()).toEqual(['a', 'b']);
  fetcher.assign([{ topic, partition: 1 }]);
  expect(fetcher.partitions.positions).toEqual([{ topic, partition: 1, offset: 1n }]);
  fetcher.assign([
    { topic, partition: 0 },
    { topic, partition: 1 },
  ]);
  expect(fetcher.partitions.unpositioned).toEqual([{ topic, partition: 0, resetTo: undefined }]);
});

test('records fetched for a position that has changed are dropped', async () => {
  const topic = await kafka.topic();
  await kafka.write(topic, numbered(3));
  const fetcher = await fetcherOf(topic, { position: 3n });
  const filling = fetcher.fill(within(20_000));
  fetcher.assign([]);
  await filling;
  fetcher.assign([{ topic, partition: 0 }]);
  fetcher.partitions.setPositions([{ topic, partition: 0, offset: 1n }]);
  await fetcher.fill(within(20_000));
  expect(values(peek(fetcher, 10))).toEqual(['v1', 'v2']);
});

test('a position that the log does not have is found again, or fails the poll', async () => {
  const topic = await kafka.topic();
  await kafka.write(topic, numbered(3));
  const fetcher = await fetcherOf(topic, { position: 100n });
  await fetcher.fill(within(20_000));
  expect(fetcher.partitions.unpositioned).toEqual([{ topic, partition: 0, resetTo: 'policy' }]);
  const strict = await fetcherOf(topic, { position: 100n, policy: 'fail' });
  for (let time = 0; time < 2; time += 1) {
    await expect(strict.fill(within(20_000))).rejects.toMatchObject({
      code: 'kafkaRefused',
      message: `org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch position 100 is out of range for partition ${topic}-0`,
    });
  }
});

test('a recreated topic is read from its new beginning', async () => {
  const topic = await kafka.topic();
  await kafka.write(topic, numbered(2));
  const fetcher = await fetcherOf(topic, { position: 2n });
  await kafka.admin.deleteTopics({ topics: [topic] });
  await until('the topic is gone', async () => !(await kafka.admin.listTopics()).includes(topic));
  await kafka.createTopic(topic);
  await kafka.write(topic, numbered(1));
  await until('the position is out of range', async () => {
    await fetcher.fill(within(1000));
    return fetcher.partitions.unpositioned.length > 0;
  });
});

test('small fetches get through large batches, one at a time', async () => {
  const topic = await kafka.topic();
  for (let batch = 0; batch < 3; batch += 1) await kafka.write(topic, [{ value: `${batch}`.repeat(5000) }]);
  const fetcher = await fetcherOf(topic, { maxBytes: 1024 });
  expect((await drain(fetcher, 3)).map(({ value }) => value?.length)).toEqual([5000, 5000, 5000]);
});

test('times, keys, tombstones and headers come as they are stored', async () => {
  const topic = await kafka.topic();
  const producer = independentClient(inject('kafkaBootstrap')).producer();
  await producer.connect();
  await producer.send({
    topic,
    messages: [
      { key: 'k', value: null, timestamp: '1000', headers: { a: ['1', '2'], b: Buffer.from([0xff]) } },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), timestamp: '500' },
    ],
  });
  await producer.disconnect();
  const [first, second] = await drain(await fetcherOf(topic), 2);
  expect(first).toMatchObject({ key: Buffer.from('k'), value: null, timestampMs: 1000n, offset: 0n });
  expect(first?.headers.map(([name, value]) => [name?.toString(), value?.toString('hex')])).toEqual([
    ['a', '31'],
    ['a', '32'],
    ['b', 'ff'],
  ]);
  expect(second).toMatchObject({ key: Buffer.alloc(0), value: Buffer.alloc(0), timestampMs: 500n, offset: 1n });
});

test('a topic whose broker sets the time shows the time at which it was stored', async () => {
  const topic = await kafka.topic(1, { 'message.timestamp.type': 'LogAppendTime' });
  const beforeMs = BigInt(Date.now());
  const producer = independentClient(inject('kafkaBootstrap')).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'v', timestamp: '1000' }] });
  await producer.disconnect();
  const [record] = await drain(await fetcherOf(topic), 1);
  expect(record?.timestampMs).toBeGreaterThanOrEqual(beforeMs - 1000n);
});

test('read_committed shows committed records only, read_uncommitted all but markers', async () => {
  const [topic, id] = [await kafka.topic(), unique('transaction')];
  const producer = transactionalProducer(inject('kafkaBootstrap'), id);
  await producer.connect();
  // Two aborted transactions of one producer in one fetch: the library's own filter lets the first through.
  for (const [value, isCommitted] of [
    ['A1', false],
    ['C1', true],
    ['A2', false],
    ['C2', true],
    ['A3', false],
  ] as const) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value }, { value }] });
    if (isCommitted) await transaction.commit();
    else await transaction.abort();
  }
  await producer.disconnect();
  await untilMarked(inject('kafkaBootstrap'), id);
  await kafka.write(topic, [{ value: 'plain' }]);

  const committed = await fetcherOf(topic, { isolationLevel: 'read_committed' });
  expect(values(await drain(committed, 5))).toEqual(['C1', 'C1', 'C2', 'C2', 'plain']);
  // A fetch of one batch at a time: markers lie beyond what is fetched.
  const small = await fetcherOf(topic, { isolationLevel: 'read_committed', maxBytes: 1 });
  expect(values(await drain(small, 5))).toEqual(['C1', 'C1', 'C2', 'C2', 'plain']);
  const all = await fetcherOf(topic);
  expect(values(await drain(all, 11))).toEqual(['A1', 'A1', 'C1', 'C1', 'A2', 'A2', 'C2', 'C2', 'A3', 'A3', 'plain']);
  expect(all.partitions.positions[0]?.offset).toBe(committed.partitions.positions[0]?.offset);
});

function isFetch(message: unknown): boolean {
  return (message as { apiKey?: number }).apiKey === 1;
}

/** Counts the fetches that are sent while the test runs. */
function countFetches(): () => number {
  let count = 0;
  const onSend = (message: unknown): void => {
    if (isFetch(message)) count += 1;
  };
  connectionsApiChannel.start.subscribe(onSend);
  onTestFinished(() => {
    connectionsApiChannel.start.unsubscribe(onSend);
  });
  return () => count;
}

describe('fetching ahead', () => {
  /** Batches of one record of 1,000 bytes each; a fetch takes about four. */
  const RECORD_COUNT = 40;
  const MAX_BYTES = 4500;

  async function longTopic(): Promise<string> {
    const topic = await kafka.topic();
    for (let index = 0; index < RECORD_COUNT; index += 1) await kafka.write(topic, [{ value: padded(index) }]);
    return topic;
  }

  const padded = (index: number): string => String(index).padEnd(1000, '.');
  const all = Array.from({ length: RECORD_COUNT }, (_, index) => padded(index));

  /** Fetches of this process in flight. */
  const fetching = new Set<unknown>();
  const onStart = (message: unknown): void => {
    if (isFetch(message)) fetching.add(message);
  };
  const onEnd = (message: unknown): void => void fetching.delete(message);
  beforeAll(() => {
    connectionsApiChannel.subscribe({ start: onStart, asyncEnd: onEnd } as never);
  });
  // Those of a fetcher that was closed have no end.
  beforeEach(() => fetching.clear());
  afterAll(() => {
    connectionsApiChannel.unsubscribe({ start: onStart, asyncEnd: onEnd } as never);
  });

  /** What a poll fetches has been sent by then, and has arrived. */
  async function untilArrived(): Promise<void> {
    await delay(20);
    await until('what is fetched has arrived', () => fetching.size === 0);
  }

  /** One poll that reads one record, and the time for what it fetches to arrive. */
  async function readOne(fetcher: Fetcher): Promise<Read> {
    await fetcher.fill(within(20_000));
    const next = read(fetcher, 1);
    await untilArrived();
    return next;
  }

  test('delivers every record once and in order, and stays ahead of a client that polls one by one', async () => {
    const fetcher = await fetcherOf(await longTopic(), { maxBytes: MAX_BYTES });
    const taken: StoredRecord[] = [];
    let mostBuffered = 0;
    for (let poll = 0; poll < RECORD_COUNT; poll += 1) {
      const next = await readOne(fetcher);
      mostBuffered = Math.max(mostBuffered, peek(fetcher, RECORD_COUNT).length);
      fetcher.partitions.advance(next.reader);
      taken.push(...next.records);
      // What comes next was there before it was asked for.
      if (poll > 0 && poll < RECORD_COUNT - 1) expect(fetcher.partitions.hasRecords).toBe(true);
    }
    expect(values(taken)).toEqual(all);
    expect(mostBuffered).toBeLessThanOrEqual(5);
    expect(await drain(fetcher, 0)).toEqual([]);
  });

  test('a response that is taken back comes again, whatever was fetched meanwhile', async () => {
    const fetcher = await fetcherOf(await longTopic(), { maxBytes: MAX_BYTES });
    const taken: StoredRecord[] = [];
    for (let poll = 0; taken.length < RECORD_COUNT && poll < 200; poll += 1) {
      await fetcher.fill(within(20_000));
      const next = read(fetcher, 1 + (poll % 3));
      const checkpoint = fetcher.partitions.advance(next.reader);
      // At once, with a fetch in flight, or when it has arrived.
      if (poll % 4 === 1) await untilArrived();
      if (poll % 2 === 1) fetcher.partitions.takeBack(checkpoint);
      else taken.push(...next.records);
    }
    expect(values(taken)).toEqual(all);
  });

  test('nothing is fetched for a consumer without polls, or where the log ends', async () => {
    const topic = await longTopic();
    const fetcher = await fetcherOf(topic, { maxBytes: MAX_BYTES });
    await readOne(fetcher);
    const fetchCount = countFetches();
    take(fetcher, 3);
    await delay(100);
    expect(fetchCount()).toBe(0);
    const end = await fetcherOf(topic, { position: BigInt(RECORD_COUNT - 3) });
    await end.fill(within(20_000));
    const beforeCount = fetchCount();
    take(fetcher, 2);
    await readOne(end);
    await readOne(end);
    expect(fetchCount()).toBe(beforeCount);
  });

  test('not beyond what all consumers together may hold', async () => {
    const topic = await longTopic();
    const budget = new FetchBudget(5000);
    const first = await fetcherOf(topic, { maxBytes: MAX_BYTES, budget });
    const second = await fetcherOf(topic, { maxBytes: MAX_BYTES, budget });
    for (const fetcher of [first, second]) await fetcher.fill(within(20_000));
    expect(budget.isSpent).toBe(true);
    const fetchCount = countFetches();
    take(first, 3);
    await readOne(first);
    expect(fetchCount()).toBe(0);
    // Records that were not taken count until they are taken, dropped, or their consumer is closed.
    second.dropRecords();
    expect(budget.isSpent).toBe(false);
    await readOne(first);
    expect(fetchCount()).toBe(1);
    await Promise.all([first.close(), second.close()]);
    expect(budget.heldBytes).toBe(0);
  });

  test('what a fetch may bring counts while it is on its way, and a fetch at the end of the log counts nothing', async () => {
    const topic = await longTopic();
    const budget = new FetchBudget(1_000_000);
    const behind = await fetcherOf(topic, { maxBytes: MAX_BYTES, budget });
    const filling = behind.fill(within(20_000));
    expect(budget.heldBytes).toBe(MAX_BYTES);
    await filling;
    await behind.close();
    await until('what it fetched is given back', () => budget.heldBytes === 0);
    const waiting = await fetcherOf(topic, { position: BigInt(RECORD_COUNT), maxWaitMs: 30_000, budget });
    const fetchCount = countFetches();
    const ended = new AbortController();
    const wait = waiting.fill(within(60_000, ended.signal));
    // The first one returns at once, with the end of the log.
    await until('the second fetch waits', () => fetchCount() === 2);
    expect(budget.heldBytes).toBe(0);
    ended.abort();
    await expect(wait).rejects.toThrow();
  });

  test('read_committed fetches ahead only of records that may be read, and shows no aborted ones', async () => {
    const topic = await kafka.topic();
    const id = unique('transaction');
    const producer = transactionalProducer(inject('kafkaBootstrap'), id);
    await producer.connect();
    for (let index = 0; index < 12; index += 1) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: padded(index) }] });
      if (index % 3 === 0) await transaction.abort();
      else await transaction.commit();
    }
    await producer.disconnect();
    await untilMarked(inject('kafkaBootstrap'), id);
    const fetcher = await fetcherOf(topic, { maxBytes: MAX_BYTES, isolationLevel: 'read_committed' });
    const taken: StoredRecord[] = [];
    for (let poll = 0; poll < 8; poll += 1) {
      const next = await readOne(fetcher);
      fetcher.partitions.advance(next.reader);
      taken.push(...next.records);
    }
    expect(values(taken)).toEqual([1, 2, 4, 5, 7, 8, 10, 11].map(padded));
  });
});

test('one fetch keeps the limit of a partition, except for a first batch', async () => {
  const topic = await kafka.topic();
  const value = 'x'.repeat(3000);
  for (const _ of [1, 2]) await kafka.write(topic, [{ value }]);
  const narrow = await fetcherOf(topic, { partitionMaxBytes: 1024 });
  await narrow.fill(within(20_000));
  expect(peek(narrow, 10)).toHaveLength(1);
  const wide = await fetcherOf(topic);
  await wide.fill(within(20_000));
  expect(peek(wide, 10)).toHaveLength(2);
});

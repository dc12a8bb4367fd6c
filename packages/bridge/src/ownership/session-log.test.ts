import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { KafkaView, unique } from '../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../test/harness/stopwatch.ts';
import { until } from '../../../../test/harness/until.ts';
import { elapsedMs, readClocks } from '../clock.ts';
import { within } from '../kafka/client/limits.ts';
import { type EntryValue, encodeKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import { SessionLog } from './session-log.ts';
import type { SessionLogFollower } from './session-log-partitions.ts';
import { SESSION_PARTITION_COUNT } from './session-topic.ts';

let kafka: KafkaView;

beforeAll(async () => {
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
});

afterAll(async () => {
  await kafka.close();
});

const IDENTITY = { group: 'g/1', name: 'näme/2' };
const DESCRIPTION = {
  options: {
    format: 'json',
    resetPolicy: 'earliest',
    fetchMinBytes: 1,
    requestTimeoutMs: 30_000,
    isAutoCommit: true,
    isolationLevel: 'read_uncommitted',
  },
  subscription: { kind: 'topics', topics: ['t'] },
  seeks: [{ topic: 't', partition: 0, to: '12345678901234567890' }],
} as const;

function held(owner: string, claimedAtOffset?: bigint): EntryValue {
  const value = {
    version: 1,
    owner,
    state: 'held' as const,
    writtenAtMs: 1,
    createdAtMs: 1,
    description: structuredClone(DESCRIPTION) as never,
  };
  return claimedAtOffset === undefined ? value : { ...value, claimedAtOffset: String(claimedAtOffset) };
}

function open(topic: string, follower: SessionLogFollower = {}, bootstrap = inject('kafkaBootstrap')): SessionLog {
  const cluster = testCluster(bootstrap);
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000, topic });
  log.follow(follower);
  log.start();
  onTestFinished(async () => {
    await log.close();
    await cluster.close();
  });
  return log;
}

async function loaded(log: SessionLog): Promise<SessionLog> {
  await until('the log is read', () => log.unreadyReason === undefined);
  return log;
}

async function store(log: SessionLog, epoch: number, id: string, value: EntryValue): Promise<bigint> {
  const outcome = await log.append(IDENTITY, { epoch, id }, value, within(20_000));
  if (outcome.kind !== 'stored') throw outcome.error;
  return outcome.offset;
}

function ownerOf(log: SessionLog, identity: SessionIdentity = IDENTITY): string | undefined {
  return log.get(identity)?.value.owner;
}

test('two logs on an empty cluster make one topic, and each reads what the other writes', async () => {
  const topic = unique('sessions');
  const changes: string[] = [];
  const [a, b] = [open(topic), open(topic, { onChanged: ({ name }) => changes.push(name) })];
  await Promise.all([loaded(a), loaded(b)]);
  const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [topic] });
  expect(topics[0]?.partitions).toHaveLength(SESSION_PARTITION_COUNT);

  await store(a, 1, 'x', held('east/a'));
  await b.readToEnd(within(20_000));
  expect(b.get(IDENTITY)).toMatchObject({ identity: IDENTITY, epoch: 1, id: 'x', value: held('east/a') });
  expect(changes).toEqual([IDENTITY.name]);

  await store(b, 2, 'y', held('west/b'));
  // Without asking: it follows.
  await until('a follows', () => ownerOf(a) === 'west/b');
});

test('the log decides between claims of one epoch, and a late write changes nothing', async () => {
  const topic = unique('sessions');
  const [a, b] = [await loaded(open(topic)), await loaded(open(topic))];
  const writes = ['1', '2', '3', '4'].map((id) => store(id < '3' ? a : b, 1, id, held(`east/${id}`)));
  const offsets = await Promise.all(writes);
  const first = offsets.indexOf(offsets.reduce((least, offset) => (offset < least ? offset : least)));
  for (const log of [a, b]) {
    await log.readToEnd(within(20_000));
    expect(log.get(IDENTITY)?.id).toBe(String(first + 1));
    expect(log.dominatedCount(IDENTITY)).toBe(3);
  }
  const winner = a.get(IDENTITY);
  await store(a, 1, winner?.id ?? '', { ...held('east/updated', winner?.claimedAtOffset) });
  await store(b, 2, 'next', { ...held('west/next') });
  await store(a, 1, winner?.id ?? '', { ...held('east/late', winner?.claimedAtOffset) });
  await b.readToEnd(within(20_000));
  expect(ownerOf(b)).toBe('west/next');
  await b.removeDominated(IDENTITY, within(20_000));
  await b.readToEnd(within(20_000));
  expect(b.dominatedCount(IDENTITY)).toBe(0);
  expect(ownerOf(b)).toBe('west/next');
});

test('the log means the same after compaction, and an independent reader finds the records', async () => {
  const topic = unique('sessions');
  await kafka.createTopic(topic, SESSION_PARTITION_COUNT, {
    'cleanup.policy': 'compact',
    'segment.bytes': '1048576',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.0',
    'delete.retention.ms': '0',
    'max.compaction.lag.ms': '1',
  });
  const log = await loaded(open(topic));
  const claimedAt = await store(log, 1, 'first', held('east/first'));
  await store(log, 2, 'second', held('west/second'));
  // Late, after the claim that superseded it: by session alone, it would be what compaction keeps.
  for (let round = 0; round < 20; round += 1) await store(log, 1, 'first', held('east/late', claimedAt));
  await log.readToEnd(within(20_000));
  const number = await partitionOf(topic);
  await until(
    'the log was compacted',
    async () => {
      // A segment is closed, and so can be compacted, when something is written after it.
      await kafka.write(topic, [{ key: 'x', value: 'y', partition: number }]);
      const earlier = await countOf(topic, number);
      return earlier.filter(({ key }) => key?.toString().includes('first')).length === 1;
    },
    { timeoutMs: 150_000 },
  );
  const fresh = await loaded(open(topic));
  expect(fresh.get(IDENTITY)).toMatchObject({ epoch: 2, id: 'second' });
  expect(ownerOf(fresh)).toBe('west/second');
}, 240_000);

/** Every record of one partition, as kafkajs sees it. */
async function countOf(topic: string, partition: number) {
  const [bounds] = (await kafka.admin.fetchTopicOffsets(topic)).filter((entry) => entry.partition === partition);
  const client = new Kafka({ brokers: inject('kafkaBootstrap').split(','), logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId: unique('reader'), maxWaitTimeInMs: 50 });
  const found: { key: Buffer | null; offset: string }[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message, partition: at }) => {
        if (at === partition) found.push(message);
      },
    });
    const last = BigInt(bounds?.high ?? 0) - 1n;
    await until('everything was read', () => found.some(({ offset }) => BigInt(offset) >= last));
  } finally {
    await consumer.disconnect();
  }
  return found;
}

async function partitionOf(topic: string): Promise<number> {
  const offsets = await kafka.admin.fetchTopicOffsets(topic);
  return offsets.find(({ high }) => Number(high) > 0)?.partition ?? -1;
}

test('forgetting a session removes the records that it dominated', async () => {
  const topic = unique('sessions');
  const log = await loaded(open(topic));
  await store(log, 1, 'x', held('east/a'));
  await store(log, 2, 'y', { version: 1, owner: 'west/b', state: 'deleted', writtenAtMs: 1, createdAtMs: 1 });
  await log.readToEnd(within(20_000));
  const entry = log.get(IDENTITY);
  if (entry === undefined) throw new Error('no entry');
  await log.forget(entry, within(20_000));
  await log.readToEnd(within(20_000));
  expect(log.get(IDENTITY)).toBeUndefined();
  expect(log.dominatedCount(IDENTITY)).toBe(0);
  expect((await loaded(open(topic))).get(IDENTITY)).toBeUndefined();
});

test('fields of a newer version are kept, and unreadable records are skipped', async () => {
  const topic = unique('sessions');
  const unreadable: number[] = [];
  const log = await loaded(open(topic, { onUnreadable: ({ partition }) => unreadable.push(partition) }));
  await store(log, 1, 'x', Object.assign(held('east/a'), { version: 2, colour: 'blue' }));
  await log.readToEnd(within(20_000));
  expect(log.get(IDENTITY)?.value).toMatchObject({ version: 2, colour: 'blue' });
  await kafka.write(topic, [
    { key: 'no key of a claim', value: '{}', partition: 1 },
    { key: encodeKey(IDENTITY, { epoch: 9, id: 'z' }).toString(), value: '{"version":1}', partition: 2 },
  ]);
  await log.readToEnd(within(20_000));
  expect(unreadable.sort()).toEqual([1, 2]);
  expect(ownerOf(log)).toBe('east/a');
});

test('a topic with another number of partitions, that is not compacted or accepts no records is refused with the reason', async () => {
  const wrongCount = await kafka.topic(3, { 'cleanup.policy': 'compact' });
  const wrongPolicy = await kafka.topic(SESSION_PARTITION_COUNT, { 'cleanup.policy': 'delete' });
  const wrongReplicas = await kafka.topic(SESSION_PARTITION_COUNT, {
    'cleanup.policy': 'compact',
    'min.insync.replicas': '2',
  });
  const [first, second, third] = [open(wrongCount), open(wrongPolicy), open(wrongReplicas)];
  await until('the third reports why', () => /1 replicas and min\.insync\.replicas=2/.test(third.unreadyReason ?? ''));
  await until('the first reports why', () =>
    /has 3 partitions, and bridges rely on 16/.test(first.unreadyReason ?? ''),
  );
  await until('the second reports why', () => /cleanup\.policy=delete/.test(second.unreadyReason ?? ''));
  // At once, with the reason, and not after its time limit.
  for (const [log, reason] of [
    [first, /has 3 partitions/],
    [second, /cleanup\.policy=delete/],
    [third, /takes no records/],
  ] as const) {
    await expect(log.readToEnd(within(3_600_000))).rejects.toMatchObject({
      code: 'kafkaUnavailable',
      message: expect.stringMatching(reason),
    });
  }
});

test('an entry that is too large for Kafka fails alone, not with others that are written at the same time', async () => {
  const topic = unique('sessions');
  await kafka.createTopic(topic, SESSION_PARTITION_COUNT, { 'cleanup.policy': 'compact', 'max.message.bytes': '4096' });
  const log = await loaded(open(topic));
  const append = (id: string, length: number) =>
    log.append(IDENTITY, { epoch: 1, id }, held(`east/${'x'.repeat(length)}`), within(20_000));
  const kinds = async (lengths: number[]): Promise<string[]> =>
    (await Promise.all(lengths.map((length, at) => append(`${length}-${at}`, length)))).map(({ kind }) => kind);
  // The first is sent at once, the others share the next request.
  expect(await kinds([1, 1, 5000, 1, 3000, 3000, 1])).toEqual(
    [1, 1, 5000, 1, 3000, 3000, 1].map((length) => (length === 5000 ? 'refused' : 'stored')),
  );
  const tooLarge = await append('huge', 1_000_000);
  expect(tooLarge).toMatchObject({ kind: 'refused', error: { code: 'sessionTooLarge' } });
});

test('the log is confirmed all the time while Kafka answers', async () => {
  const log = await loaded(open(unique('sessions')));
  const askedAt = readClocks();
  await until('it was asked again', () => elapsedMs(askedAt, log.confirmedAt(IDENTITY)) > 0);
  const before = readClocks();
  await Promise.all(Array.from({ length: 50 }, () => log.readToEnd(within(20_000))));
  expect(elapsedMs(before, log.confirmedAt(IDENTITY))).toBeGreaterThanOrEqual(0);
});

test('10,000 sessions are written by one bridge and read by another that starts', async () => {
  const topic = unique('sessions');
  const writer = await loaded(open(topic));
  const writtenAtMs = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: 10_000 }, (_, number) =>
      writer.append(
        { group: `group-${number % 100}`, name: `c${number}` },
        { epoch: 1, id: `${number}` },
        held('east/a'),
        within(60_000),
      ),
    ),
  );
  expect(outcomes.every(({ kind }) => kind === 'stored')).toBe(true);
  const startedAtMs = performance.now();
  const reader = open(topic);
  await until('everything is read', () => reader.isLoaded);
  const tookMs = performance.now() - startedAtMs;
  console.info(
    `10,000 sessions: written in ${Math.round(startedAtMs - writtenAtMs)} ms, read in ${Math.round(tookMs)} ms`,
  );
  expect(reader.sessionCount).toBe(10_000);
  // One question after another would take minutes.
  expect(tookMs).toBeLessThan(20_000);
});

test('a log that waits for a missing Kafka closes at once', async () => {
  // No process listens on the discard port (RFC 863).
  const nowhere = testCluster('127.0.0.1:9');
  const lonely = new SessionLog(nowhere, { requestTimeoutMs: 60_000 });
  lonely.start();
  await expect(lonely.readToEnd(within(200))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  const watch = new Stopwatch();
  await lonely.close();
  await nowhere.close();
  expect(watch.stop()).toBeLessThan(20_000);
});

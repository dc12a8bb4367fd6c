/** Replication between two real Kafka clusters, copied as MirrorMaker does: what is missing, what is lost with one, and what groups carry over. */
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../test/harness/cluster.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { checkpointsTopic, syncsTopic, TestMirror } from '../../../test/harness/mirror.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { writeInTransaction } from '../../../test/harness/transaction.ts';
import { until } from '../../../test/harness/until.ts';
import { within } from '../src/kafka/client/limits.ts';
import { MirrorReplication } from '../src/replication/mirror-replication.ts';
import { ReplicatedAcks } from '../src/replication/replicated-acks.ts';
import type { ReplicationRole } from '../src/replication/replication.ts';

/** The run's Kafka is the standby: only topics of these tests are copied to it. */
const EAST = unique('east');
const WEST = unique('west');
const NUMBER_2 = { number: 2, cluster: WEST };
const WITHIN = { timeoutMs: 60_000 };

let east: OwnKafka;
let eastView: KafkaView;
let westView: KafkaView;
let orders: string;
let payments: string;
let untouched: string;
let mirror: TestMirror;
let replication: MirrorReplication;
let role: ReplicationRole = 'target';

function connect(own: string, peer: string, role: () => ReplicationRole): MirrorReplication {
  const bootstrapOf = (name: string) => (name === EAST ? east.cluster.bootstrap : inject('kafkaBootstrap'));
  const clusters = [own, peer].map((name) => ({ name, cluster: testCluster(bootstrapOf(name)) }));
  const [ownCluster, peerCluster] = clusters as [(typeof clusters)[0], (typeof clusters)[0]];
  const connected = new MirrorReplication({
    own: ownCluster,
    peer: peerCluster,
    requestTimeoutMs: 2000,
    role,
    isMirrored: (topic) => [orders, payments, untouched].includes(topic),
  });
  connected.start();
  return connected;
}

async function write(topic: string, values: readonly string[]): Promise<void> {
  await eastView.write(
    topic,
    values.map((value) => ({ value, partition: 0 })),
  );
}

async function endOf(topic: string): Promise<number> {
  const [partition] = await eastView.admin.fetchTopicOffsets(topic);
  return Number(partition?.high);
}

beforeAll(async () => {
  east = await startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2), properties: QUICK_RESTART });
  [eastView, westView] = await Promise.all([
    KafkaView.connect(east.cluster.bootstrap),
    KafkaView.connect(inject('kafkaBootstrap')),
  ]);
  [orders, payments, untouched] = [unique('orders'), unique('payments'), unique('untouched')];
  await Promise.all([
    ...[eastView, westView].flatMap((view) => [orders, payments].map((topic) => view.createTopic(topic))),
    eastView.createTopic(untouched),
    ...[syncsTopic(EAST), checkpointsTopic(EAST)].map((topic) =>
      westView.createTopic(topic, 1, { 'cleanup.policy': 'compact' }),
    ),
  ]);
  mirror = await TestMirror.start({
    source: { name: EAST, bootstrap: east.cluster.bootstrap },
    target: inject('kafkaBootstrap'),
    topics: [orders, payments],
  });
  replication = connect(WEST, EAST, () => role);
}, 400_000);

afterAll(async () => {
  await mirror?.close();
  await replication?.close();
  await Promise.all([eastView?.close(), westView?.close()]);
  await east?.close();
});

describe('what is missing', () => {
  test('is nothing when the source ends with markers of transactions, which are never copied', async () => {
    await write(orders, ['a', 'b', 'c']);
    for (const end of ['commit', 'abort'] as const) {
      const messages = [{ value: end, partition: 0 }];
      await writeInTransaction(east.cluster.bootstrap, { topic: orders, messages, end });
    }
    const ends = await replication.readEnds(within(20_000));
    // Three records, one committed with its marker, one aborted with its marker.
    expect(ends.find(({ topic }) => topic === orders)).toEqual({ topic: orders, partition: 0, offset: 7n });
    expect(await replication.catchUp(ends, within(30_000))).toBe(0);
    expect(await replication.missing(ends, within(20_000))).toBe(0);
  });

  test('is counted while nothing is copied, and gone when it has caught up', async () => {
    mirror.pause();
    await write(orders, ['d', 'e']);
    await write(payments, ['1', '2', '3']);
    await write(untouched, ['x']);
    const ends = await replication.readEnds(within(20_000));
    expect(await replication.catchUp(ends, within(500))).toBe(6);
    await until('the status has it', () => replication.status()?.records === 6);
    const status = replication.status();
    expect(status).toMatchObject({ from: EAST, to: WEST, problem: null });
    expect(status?.topics.map(({ topic, records }) => [topic, records])).toEqual([
      [payments, 3],
      [orders, 2],
      [untouched, 1],
    ]);
    mirror.resume();
    expect(
      await replication.catchUp(
        ends.filter(({ topic }) => topic !== untouched),
        within(30_000),
      ),
    ).toBe(0);
    await until('only the topic that is not copied is behind', () => replication.status()?.records === 1);
    expect(replication.status()?.seconds).toBeGreaterThan(0);
  });
});

describe('committed offsets', () => {
  test('carry over from the other cluster and from checkpoints, translated', async () => {
    const [live, checkpointed] = [unique('live'), unique('checkpointed')];
    // The copy has the records a, b, c, commit, d, e at 0 to 5; the source has them at 0 to 3, 7 and 8.
    await eastView.admin.setOffsets({ groupId: live, topic: orders, partitions: [{ partition: 0, offset: '9' }] });
    await mirror.checkpoint(checkpointed, { topic: orders, partition: 0 }, { upstream: 9, downstream: 5 });
    const carried = await replication.carryOverFromPeer([live, unique('unknown')], within(20_000));
    expect(carried).toEqual({ groups: 1, partitions: 1, failed: [] });
    expect(await westView.committed(live, orders)).toEqual([6]);
    await until('the checkpoint is read', async () => {
      const { groups } = await replication.carryOverFromCheckpoints([checkpointed], within(20_000));
      return groups === 1;
    });
    // Nearer than what the checkpoint says.
    expect(await westView.committed(checkpointed, orders)).toEqual([6]);
    expect(await replication.carryOverFromCheckpoints([checkpointed], within(20_000))).toEqual({
      groups: 0,
      partitions: 0,
      failed: [],
    });
  });

  test('are exact while both clusters can be read, also between two syncs', async () => {
    mirror.pause();
    await write(
      payments,
      Array.from({ length: 50 }, (_, index) => `batch ${index}`),
    );
    mirror.resume();
    await mirror.untilCopied(payments, 52);
    const [live, checkpointed] = [unique('live'), unique('checkpointed')];
    await eastView.admin.setOffsets({ groupId: live, topic: payments, partitions: [{ partition: 0, offset: '30' }] });
    await replication.carryOverFromPeer([live], within(20_000));
    expect(await westView.committed(live, payments)).toEqual([30]);
    // By syncs alone.
    await mirror.checkpoint(checkpointed, { topic: payments, partition: 0 }, { upstream: 30, downstream: 1 });
    await until('the checkpoint is read', async () => {
      const { groups } = await replication.carryOverFromCheckpoints([checkpointed], within(20_000));
      return groups === 1;
    });
    expect(await westView.committed(checkpointed, payments)).toEqual([4]);
  });

  test('do not move a group that has members here, and the report names it', async () => {
    const group = unique('busy');
    const consumer = independentClient(inject('kafkaBootstrap')).consumer({ groupId: group });
    onTestFinished(() => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topic: orders });
    await consumer.run({ eachMessage: async () => {} });
    await until('the group has a member', async () => (await westView.members(group)).length === 1);
    await eastView.admin.setOffsets({ groupId: group, topic: orders, partitions: [{ partition: 0, offset: '1' }] });
    const carried = await replication.carryOverFromPeer([group], within(20_000));
    expect(carried).toMatchObject({ groups: 0, partitions: 0, failed: [{ group }] });
  });
});

test('a record is acknowledged as replicated when it is copied, and is an error in its entry while it is not', async () => {
  const source = connect(EAST, WEST, () => 'source');
  onTestFinished(() => source.close());
  const acks = (timeoutMs: number) =>
    new ReplicatedAcks({ replication: source, peer: 'west', isAlwaysWanted: () => false, timeoutMs });
  const place = await endOf(orders);
  mirror.pause();
  await write(orders, ['waits 1', 'waits 2']);
  const results = [place, place + 1].map((offset) => ({ partition: 0, offset: BigInt(offset) }));
  const refused = { errorCode: 404, message: 'no such partition' };
  const hasty = acks(300);
  expect(await hasty.replicated(orders, [...results, refused], hasty.begin())).toEqual([
    ...[place, place + 1].map((offset) => ({
      errorCode: 504,
      message: `Stored in partition 0 at offset ${offset}, but not replicated to Kafka cluster west within 300 ms`,
    })),
    refused,
  ]);
  const patient = acks(60_000);
  const waiting = patient.replicated(orders, results, patient.begin());
  mirror.resume();
  expect(await waiting).toEqual(results);
  expect(patient.durations.count).toBe(1);
  expect(patient.isPossible(orders)).toBe(true);
  expect(patient.isPossible('__causeway_answers')).toBe(false);
});

test('the syncs of a topic that was deleted say nothing of the one that has its name now', async () => {
  const source = connect(EAST, WEST, () => 'source');
  onTestFinished(() => source.close());
  // Of an earlier topic with 501 records; the one of now has one.
  await mirror.sync({ topic: untouched, partition: 0 }, { upstream: 500, downstream: 500 });
  const acks = new ReplicatedAcks({ replication: source, peer: 'west', isAlwaysWanted: () => false, timeoutMs: 300 });
  await until('a measurement has it', () =>
    [source, replication].every((each) => each.status()?.topics.some(({ topic }) => topic === untouched) === true),
  );
  const ends = await replication.readEnds(within(20_000));
  expect(await replication.missing(ends, within(20_000))).toBe(1);
  const [result] = await acks.replicated(untouched, [{ partition: 0, offset: 0n }], acks.begin());
  expect(result).toMatchObject({ errorCode: 504 });
});

test('copies without a sync are found by comparing, as of a MirrorMaker that stops, also behind records of another time', async () => {
  mirror.syncPolicy = 'none';
  // As of a time when the standby was active.
  await westView.write(payments, [{ value: 'its own', partition: 0 }]);
  await write(payments, ['f', 'g']);
  await mirror.untilCopied(payments, (await endOf(payments)) - 1);
  mirror.pause();
  const both = await replication.readEnds(within(20_000));
  const ofPayments = both.filter(({ topic }) => topic === payments);
  expect(await replication.catchUp(ofPayments, within(30_000))).toBe(0);
  await until('the status knows it', () => replication.status()?.records === 1);
  await write(payments, ['h']);
  const after = (await replication.readEnds(within(20_000))).filter(({ topic }) => topic === payments);
  expect(await replication.catchUp(after, within(1500))).toBe(1);
  mirror.resume();
  expect(await replication.catchUp(after, within(30_000))).toBe(0);
  mirror.syncPolicy = 'last';
  await write(payments, ['i']);
  await mirror.untilCopied(payments, (await endOf(payments)) - 1);
});

describe('a lost cluster', () => {
  test('leaves a report of the ends that were seen, which is exact when it has returned', async () => {
    // Copied, but MirrorMaker was killed before it wrote the sync.
    mirror.syncPolicy = 'none';
    await write(orders, ['f']);
    const first = await endOf(orders);
    await mirror.untilCopied(orders, first - 1);
    mirror.pause();
    await write(orders, ['lost 1', 'lost 2']);
    await until('the status has what was seen', () => replication.status()?.records === 4);
    await east.cluster.killBroker(1);
    const report = replication.reportLoss(NUMBER_2, new Date(0));
    expect(report).toMatchObject({ promotion: NUMBER_2, lost: EAST, at: '1970-01-01T00:00:00.000Z', isFinal: false });
    expect(report.endsAgeMs).toBeGreaterThanOrEqual(0);
    const ranges = [
      { topic: orders, partition: 0, from: first - 1, to: first + 2, records: 3 },
      { topic: untouched, partition: 0, from: 0, to: 1, records: 1 },
    ];
    expect(report.ranges).toEqual(expect.arrayContaining(ranges));
    expect(report.ranges).toHaveLength(2);
    await until('the status says why it does not measure', () => replication.status()?.problem !== null, WITHIN);
    expect(replication.status()).toMatchObject({ records: 4 });

    role = 'source';
    // A client of the promoted cluster.
    await westView.write(orders, [{ value: 'new', partition: 0 }]);
    await east.cluster.restartBroker(1);
    const returned = connect(EAST, WEST, () => 'none');
    onTestFinished(() => returned.close());
    const complete = await untilResult(() => returned.completeReport(report, within(20_000)));
    expect(complete).toEqual({
      ...report,
      isFinal: true,
      ranges: expect.arrayContaining([
        { topic: orders, partition: 0, from: first, to: first + 2, records: 2 },
        { topic: untouched, partition: 0, from: 0, to: 1, records: 1 },
      ]),
    });
    expect(complete.ranges).toHaveLength(2);
  });
});

/** The first result. */
async function untilResult<T>(attempt: () => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await until(
    'an attempt succeeds',
    async () => {
      result = { value: await attempt() };
      return true;
    },
    WITHIN,
  );
  if (result === undefined) throw new Error('no result');
  return result.value;
}

import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { watchPools } from '../../../../../test/harness/connection-pools.ts';
import { KafkaView, unique } from '../../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../../test/harness/stopwatch.ts';
import { until } from '../../../../../test/harness/until.ts';
import { BridgeError } from '../../errors.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../../records.ts';
import { Cluster, type ClusterOptions } from '../client/cluster.ts';
import { within } from '../client/limits.ts';
import { GroupCoordinator } from './coordinator.ts';
import { Membership } from './membership.ts';
import { PreparedJoin } from './prepared-join.ts';

let kafka: KafkaView;
let cluster: Cluster;

beforeAll(async () => {
  const bootstrap = inject('kafkaBootstrap');
  kafka = await KafkaView.connect(bootstrap);
  cluster = newCluster(bootstrap);
});

afterAll(async () => {
  await cluster.close();
  await kafka.close();
});

function newCluster(bootstrap: string, options: Partial<ClusterOptions> = {}): Cluster {
  return new Cluster({
    bootstrapServers: bootstrap.split(','),
    clientId: 'test',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 20_000,
    metadataMaxAgeMs: 30_000,
    ...options,
  });
}

/** A member that writes down what happens to it. */
class Recorder {
  readonly membership: Membership;
  partitions: string[] | undefined;
  assignmentCount = 0;
  revokeCount = 0;
  isForgotten = false;
  isFenced = false;
  onRevoking: () => Promise<void> = async () => {};
  onRejoining: () => Promise<void> = async () => {};

  constructor(group: string, instanceId: string, topics: string[], topicRefreshMs = 60_000) {
    this.membership = new Membership(
      cluster,
      new GroupCoordinator(cluster, group),
      topics,
      {
        clientId: instanceId,
        instanceId,
        sessionTimeoutMs: 60_000,
        rebalanceTimeoutMs: 60_000,
        heartbeatIntervalMs: 100,
        requestTimeoutMs: 20_000,
        topicRefreshMs,
        allowAutoTopicCreation: false,
      },
      {
        onRevoking: async () => {
          this.revokeCount += 1;
          await this.onRevoking();
        },
        onAssigned: (partitions: readonly TopicPartition[]) => {
          this.assignmentCount += 1;
          this.partitions = partitions.map(({ topic, partition }) => partitionKey(topic, partition)).sort();
        },
        onForgotten: () => {
          this.isForgotten = true;
        },
        onRejoining: () => this.onRejoining(),
        onFenced: () => {
          this.isFenced = true;
        },
      },
    );
    onTestFinished(() => this.membership.leave(within(10_000)));
  }

  join(timeoutMs = 30_000): Promise<boolean> {
    return this.membership.join(within(timeoutMs));
  }

  commit(offsets: PartitionOffset[]) {
    return this.membership.commit(offsets, within(20_000));
  }
}

test('two members share the partitions, and one that leaves gives its own back at once', async () => {
  const topic = await kafka.topic(3);
  const group = unique('group');
  const a = new Recorder(group, 'a', [topic]);
  expect(await a.join()).toBe(true);
  expect(a.partitions).toHaveLength(3);

  const b = new Recorder(group, 'b', [topic]);
  expect(await b.join()).toBe(true);
  await until('a has its share', () => a.partitions?.length === 2);
  expect([...(a.partitions ?? []), ...(b.partitions ?? [])].sort()).toEqual([0, 1, 2].map((p) => `${topic}:${p}`));
  expect(a.revokeCount).toBe(1);

  const watch = new Stopwatch();
  await b.membership.leave(within(10_000));
  await until('a has everything', () => a.partitions?.length === 3);
  // Long before its session times out, after a minute.
  expect(watch.stop()).toBeLessThan(20_000);
  expect(await kafka.members(group)).toEqual(['a']);
});

test('a takeover fences the old member, which commits nothing more and never joins again', async () => {
  const topic = await kafka.topic(2);
  const group = unique('group');
  const old = new Recorder(group, 'same', [topic]);
  const other = new Recorder(group, 'other', [topic]);
  await old.join();
  await other.join();
  await until('both have a share', () => old.partitions?.length === 1 && other.partitions?.length === 1);
  const rebalanceCount = other.assignmentCount;

  const successor = new Recorder(group, 'same', [topic]);
  expect(await successor.join()).toBe(true);
  expect(successor.partitions).toEqual(old.partitions);
  // The library's own commit would join again here, and take the member back.
  const [partition = 0] = (successor.partitions ?? []).map((key) => Number(key.split(':')[1]));
  expect(await old.commit([{ topic, partition, offset: 5n }])).toBe('fenced');
  expect(old.isFenced).toBe(true);
  await expect(old.join()).rejects.toMatchObject({ code: 'misdirected' });
  expect((await kafka.committed(group, topic))[partition]).toBe(-1);

  expect(await successor.commit([{ topic, partition, offset: 7n }])).toBe('committed');
  expect((await kafka.committed(group, topic))[partition]).toBe(7);
  expect(other.assignmentCount).toBe(rebalanceCount);
  expect(successor.isFenced).toBe(false);
});

test('a member that was taken over learns it from its heartbeat alone', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const old = new Recorder(group, 'same', [topic]);
  await old.join();
  const successor = new Recorder(group, 'same', [topic]);
  await successor.join();
  await until('the old member is fenced', () => old.isFenced);
  // The displaced member does not steal it back, as the library's own membership does at every heartbeat.
  await expect(successor.commit([{ topic, partition: 0, offset: 1n }])).resolves.toBe('committed');
  expect(successor.isFenced).toBe(false);
  expect(successor.assignmentCount).toBe(1);
});

test('a member that Kafka forgot waits for the next poll, and then rejoins', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const member = new Recorder(group, 'm', [topic]);
  await member.join();
  // As an operator removes it, or a session timeout.
  const successor = new Recorder(group, 'm', [topic]);
  successor.membership.abandon();
  await removeMember(group, 'm');
  await until('it learns that it was forgotten', () => member.isForgotten);
  expect(await kafka.members(group)).toEqual([]);
  expect(await member.commit([{ topic, partition: 0, offset: 1n }])).toBe('committed');
  expect(await member.join()).toBe(true);
  expect(member.assignmentCount).toBe(2);
  expect(member.isFenced).toBe(false);
});

test('a member that Kafka forgot does not come back when its consumer is another bridge’s', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const member = new Recorder(group, 'm', [topic]);
  await member.join();
  member.onRejoining = async () => {
    throw new BridgeError('misdirected');
  };
  // Like another bridge that joined in its place and then deleted the consumer, while this one was suspended.
  await removeMember(group, 'm');
  await until('it learns that it was forgotten', () => member.isForgotten);
  await expect(member.join()).rejects.toMatchObject({ code: 'misdirected' });
  expect(await kafka.members(group)).toEqual([]);
});

/** Removes a static member from outside, by its instance id alone. */
async function removeMember(group: string, instanceId: string): Promise<void> {
  const { leaveGroupV5 } = await import('@platformatic/kafka');
  await new GroupCoordinator(cluster, group).send(
    (connection) => leaveGroupV5.api.async(connection, group, [{ memberId: '', groupInstanceId: instanceId }]),
    within(20_000),
  );
}

test('what was delivered can be committed before a rebalance takes the partitions', async () => {
  const topic = await kafka.topic(2);
  const group = unique('group');
  const a = new Recorder(group, 'a', [topic]);
  await a.join();
  a.onRevoking = async () => {
    expect(
      await a.commit([
        { topic, partition: 0, offset: 3n },
        { topic, partition: 1, offset: 4n },
      ]),
    ).toBe('committed');
  };
  const b = new Recorder(group, 'b', [topic]);
  await b.join();
  expect(await kafka.committed(group, topic)).toEqual([3, 4]);
});

test('a commit without a group is possible, and refused where others are members', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const alone = new Recorder(group, 'alone', []);
  expect(await alone.commit([{ topic, partition: 0, offset: 3n }])).toBe('committed');
  expect(await kafka.committed(group, topic)).toEqual([3]);
  const member = new Recorder(group, 'member', [topic]);
  await member.join();
  expect(await alone.commit([{ topic, partition: 0, offset: 9n }])).toBe('notMember');
  expect(await kafka.committed(group, topic)).toEqual([3]);
});

test('new topics and partitions reach the group', async () => {
  const topic = unique('late');
  const group = unique('group');
  const member = new Recorder(group, 'm', [topic], 100);
  await member.join();
  expect(member.partitions).toEqual([]);
  await kafka.createTopic(topic, 1);
  await until('the new topic', () => member.partitions?.length === 1);
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
  await until('the new partition', () => member.partitions?.length === 2);
});

test('partitions that came while the leader was away reach the group when it is back under its old identity', async () => {
  const topic = await kafka.topic(1);
  const group = unique('group');
  const leader = new Recorder(group, 'leader', [topic], 100);
  await leader.join();
  leader.membership.abandon();
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
  // Its first look must not take what it finds for what was assigned.
  const successor = new Recorder(group, 'leader', [topic], 100);
  await successor.join();
  expect(successor.partitions).toEqual([`${topic}:0`]);
  await until('the new partition', () => successor.partitions?.length === 2);
});

test('the group learns of other topics at the next join', async () => {
  const topics = [await kafka.topic(), await kafka.topic()];
  const group = unique('group');
  const member = new Recorder(group, 'm', [topics[0] ?? '']);
  await member.join();
  member.membership.setTopics([topics[1] ?? '']);
  expect(member.membership.isJoined).toBe(false);
  await member.join();
  expect(member.partitions).toEqual([`${topics[1]}:0`]);
});

test('a member that leaves while it joins is not left behind', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const member = new Recorder(group, 'm', [topic]);
  const joining = member.join();
  await member.membership.leave(within(10_000));
  await joining.catch(() => {});
  const other = new Recorder(group, 'o', [topic]);
  expect(await other.join(20_000)).toBe(true);
  await until('only the other is there', async () => (await kafka.members(group)).join() === 'o');
});

test('a join fails with the reason for which Kafka refuses the group', async () => {
  const topic = await kafka.topic();
  const member = new Recorder(unique('group'), 'm', [topic]);
  const strict = new Membership(
    cluster,
    new GroupCoordinator(cluster, ''),
    [topic],
    {
      clientId: 'm',
      instanceId: 'm',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 100,
      requestTimeoutMs: 5000,
      topicRefreshMs: 1000,
      allowAutoTopicCreation: false,
    },
    {
      onRevoking: async () => {},
      onAssigned: () => {},
      onRejoining: async () => {},
      onForgotten: () => {},
      onFenced: () => {},
    },
  );
  await expect(strict.join(within(20_000))).rejects.toMatchObject({
    code: 'kafkaRefused',
    message: expect.stringMatching(/^org\.apache\.kafka\.common\.errors\.InvalidGroupIdException: /),
  });
  expect(await member.join()).toBe(true);
});

test.each([{ isPrepared: false }, { isPrepared: true }])(
  'joins that fail while Kafka cannot be reached leave no connections behind, prepared: $isPrepared',
  async ({ isPrepared }) => {
    const [port] = await findFreePorts(1);
    const unreached = newCluster(`127.0.0.1:${port}`, { requestTimeoutMs: 100 });
    const group = unique('group');
    const pools = watchPools();
    const timeouts = { timeoutMs: 200, requestTimeoutMs: 100 };
    const prepared = isPrepared ? new PreparedJoin(unreached, { group, clientId: 'm', ...timeouts }) : undefined;
    const membership = new Membership(
      unreached,
      prepared?.coordinator ?? new GroupCoordinator(unreached, group),
      ['t'],
      {
        clientId: 'm',
        instanceId: 'm',
        sessionTimeoutMs: 60_000,
        heartbeatIntervalMs: 100,
        topicRefreshMs: 60_000,
        rebalanceTimeoutMs: 100,
        requestTimeoutMs: 100,
        allowAutoTopicCreation: false,
        prepared,
      },
      {
        onRevoking: async () => {},
        onAssigned: () => {},
        onForgotten: () => {},
        onRejoining: async () => {},
        onFenced: () => {},
      },
    );
    const joining = membership.join(within(30_000));
    await until('it tried a few times', () => pools.createdCount >= 4);
    membership.abandon();
    await joining;
    await until('all are closed', () => pools.openCount === 0, { timeoutMs: 10_000 });
    await unreached.close();
  },
);

test('a prepared join that is not used asks Kafka for nothing more', async () => {
  const own = newCluster(inject('kafkaBootstrap'));
  const pools = watchPools();
  const prepared = new PreparedJoin(own, {
    group: unique('group'),
    clientId: 'm',
    timeoutMs: 20_000,
    requestTimeoutMs: 20_000,
  });
  prepared.close();
  expect(pools).toMatchObject({ createdCount: 1, openCount: 0 });
  const findCount = (): number => Object.fromEntries(own.traffic.requestCounts())['FindCoordinator'] ?? 0;
  await until('it has begun', () => findCount() > 0);
  // Longer than pauses between attempts.
  const untilMs = performance.now() + 4 * own.backoff.maxMs;
  while (performance.now() < untilMs) await own.ping(within(10_000));
  // One more where the first broker that it asked was slow.
  expect(findCount()).toBeLessThan(3);
  await own.close();
});

/** What a client makes long is worked through in time that is linear in its length. */
import { test } from 'vitest';
import { testCluster } from '../../../test/harness/cluster.ts';
import { expectRatioBelow } from '../../../test/harness/processor-ratio.ts';
import { IDLE_SESSION } from '../../../test/harness/session-description.ts';
import { Seeks } from '../src/consumers/seeks.ts';
import { Partitions } from '../src/kafka/fetch/partitions.ts';
import { type Assignor, assign } from '../src/kafka/group/assignors.ts';
import { GroupCoordinator } from '../src/kafka/group/coordinator.ts';
import { Membership } from '../src/kafka/group/membership.ts';
import { checkSubscriptionSize, decodeValue, type EntryValue, encodeValue } from '../src/ownership/session-entry.ts';

const cluster = testCluster('127.0.0.1:1');

function names(count: number, prefix = 'topic'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

function partitionsOf(count: number) {
  return names(count).map((topic) => ({ topic, partition: 0 }));
}

function spread(assignor: Assignor, count: number): () => unknown {
  const members = ['a', 'b', 'c'].map((memberId) => ({
    memberId,
    instanceId: undefined,
    topics: [...names(count), ...names(count, memberId)],
  }));
  const counts = new Map(members.flatMap(({ topics }) => topics.map((topic) => [topic, 1])));
  return () => assign(assignor, members, counts);
}

/** Many members, each with a topic of its own. */
function spreadWide(assignor: Assignor, count: number): () => unknown {
  const members = names(count).map((topic) => ({ memberId: topic, instanceId: undefined, topics: [topic] }));
  const counts = new Map(names(count).map((topic) => [topic, 2]));
  return () => assign(assignor, members, counts);
}

function membership(topics: string[]): Membership {
  const options = {
    clientId: 'c',
    instanceId: 'i',
    sessionTimeoutMs: 1,
    rebalanceTimeoutMs: 1,
    heartbeatIntervalMs: 1,
    requestTimeoutMs: 1,
    topicRefreshMs: 1,
    isPattern: false,
    allowAutoTopicCreation: false,
  };
  const nothing = (): void => {};
  return new Membership(cluster, new GroupCoordinator(cluster, 'g'), topics, options, {
    onRevoking: async () => {},
    onAssigned: nothing,
    onForgotten: nothing,
    onRejoining: async () => {},
    onFenced: nothing,
  });
}

function entry(count: number): EntryValue {
  return {
    version: 1,
    owner: 'x/y',
    state: 'held',
    writtenAtMs: 1,
    createdAtMs: 1,
    description: {
      ...IDLE_SESSION,
      subscription: { kind: 'topics', topics: names(count) },
      seeks: partitionsOf(count).map((partition) => ({ ...partition, to: '1' })),
    },
  };
}

/** `prepare` makes input of a size, and returns the work on it. */
const WORK: readonly [what: string, count: number, prepare: (count: number) => () => unknown][] = [
  ['assigning ranges of partitions', 400, (count) => spread('range', count)],
  ['assigning partitions in turn', 400, (count) => spread('roundrobin', count)],
  ['assigning ranges to many members', 300, (count) => spreadWide('range', count)],
  ['assigning partitions in turn to many members', 300, (count) => spreadWide('roundrobin', count)],
  [
    'subscribing again to the same topics',
    400,
    (count) => {
      const member = membership(names(count));
      const reversed = names(count).reverse();
      return () => member.setTopics(reversed);
    },
  ],
  [
    'seeking',
    400,
    (count) => {
      const positions = partitionsOf(count).map((partition) => ({ ...partition, offset: 1n }));
      return () => {
        const seeks = new Seeks();
        seeks.keep(positions, positions, 'received');
        seeks.retain(positions.slice(1));
        seeks.forget(positions);
      };
    },
  ],
  [
    'assigning partitions',
    400,
    (count) => {
      const [some, others] = [partitionsOf(count), partitionsOf(count).reverse()];
      return () => {
        const partitions = new Partitions(() => false);
        partitions.assign(some);
        partitions.assign(others);
        partitions.setPositions(some.map((partition) => ({ ...partition, offset: 1n })));
        partitions.setCommitted(partitions.uncommitted);
      };
    },
  ],
  [
    'an entry of the session log',
    100,
    (count) => {
      const value = encodeValue(entry(count));
      const subscription = { kind: 'topics' as const, topics: names(count) };
      return () => {
        decodeValue(value);
        checkSubscriptionSize(subscription);
      };
    },
  ],
];

const FACTOR = 8;
/** Linear work takes 8 times as long, and what sorts or collects garbage longer; quadratic work takes 64 times as long. */
const MOST_RATIO = 28;

test.each(WORK)('%s is linear', (what, count, prepare) => {
  const [small, large] = [prepare(count), prepare(FACTOR * count)];
  expectRatioBelow(MOST_RATIO, { small, large, what });
});

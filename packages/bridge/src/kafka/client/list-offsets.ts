/** Asks leaders where partitions begin and end. */
import { listOffsetsV7 } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../../records.ts';
import type { Cluster } from './cluster.ts';
import { mayBeRetried } from './failure.ts';
import { type Limits, retrying } from './limits.ts';
import { throwForbidden } from './metadata.ts';

export type IsolationLevel = 'read_uncommitted' | 'read_committed';
export type OffsetSpec = 'earliest' | 'latest';
/** A timestamp, in milliseconds, means the first record from then on; the offset is -1 where there is no such record. */
export type TimedOffsetSpec = OffsetSpec | bigint;

/** The special timestamps of ListOffsets. */
const TIMESTAMPS: Readonly<Record<OffsetSpec, bigint>> = { earliest: -2n, latest: -1n };
const CONSUMER_REPLICA_ID = -1;
const ANY_LEADER_EPOCH = -1;

/** The isolation level on the wire. */
export function isolationByte(level: IsolationLevel): 0 | 1 {
  return level === 'read_committed' ? 1 : 0;
}

/** Asks until the leader of every partition has responded. Errors: `kafkaUnavailable`, or those of the library. */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  options: { spec: TimedOffsetSpec; isolationLevel: IsolationLevel; limits: Limits },
): Promise<PartitionOffset[]> {
  const { limits } = options;
  return await retrying(
    async (attempt) => {
      const byLeader = await groupByLeader(cluster, partitions, limits, attempt > 0);
      const answers = await Promise.all(
        [...byLeader].map(([leader, led]) => listOfLeader(cluster, leader, led, options)),
      );
      return answers.flat();
    },
    limits,
    mayBeRetried,
    cluster.backoff,
  );
}

/** The partitions by the node id of their leader. Errors: `kafkaUnavailable` when a partition has no leader, `kafkaForbidden`. */
async function groupByLeader(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  limits: Limits,
  isFresh: boolean,
): Promise<Map<number, TopicPartition[]>> {
  const names = [...new Set(partitions.map(({ topic }) => topic))];
  const topics = await cluster.topics(names, limits, isFresh ? { maxAgeMs: 0 } : {});
  throwForbidden(topics);
  return Map.groupBy(partitions, ({ topic, partition }) => {
    const answer = topics.get(topic);
    const leader = answer !== undefined && 'topic' in answer ? answer.topic.partitions[partition]?.leader : undefined;
    if (leader === undefined || leader < 0) {
      throw new BridgeError('kafkaUnavailable', { message: `Partition ${topic}-${partition} has no leader` });
    }
    return leader;
  });
}

async function listOfLeader(
  cluster: Cluster,
  leader: number,
  partitions: readonly TopicPartition[],
  { spec, isolationLevel }: { spec: TimedOffsetSpec; isolationLevel: IsolationLevel },
): Promise<PartitionOffset[]> {
  const broker = cluster.broker(leader);
  if (broker === undefined) throw new BridgeError('kafkaUnavailable', { message: `Broker ${leader} is not known` });
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, entries]) => ({
    name,
    partitions: entries.map(({ partition }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: ANY_LEADER_EPOCH,
      timestamp: typeof spec === 'bigint' ? spec : TIMESTAMPS[spec],
    })),
  }));
  const response = await cluster.onBroker(broker, (connection) =>
    listOffsetsV7.api.async(connection, CONSUMER_REPLICA_ID, isolationByte(isolationLevel), topics),
  );
  const wanted = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)));
  return response.topics.flatMap(({ name, partitions: found }) =>
    found
      .filter(({ partitionIndex }) => wanted.has(partitionKey(name, partitionIndex)))
      .map(({ partitionIndex, offset }) => ({ topic: name, partition: partitionIndex, offset })),
  );
}

/** The broker that coordinates a group, and the offsets that it holds. */
import { offsetFetchV8 } from '@platformatic/kafka';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { Coordinator } from '../client/coordinator.ts';
import { protocolErrorId, refusal } from '../client/failure.ts';
import type { ErrorId } from '../client/kafka-errors.ts';
import type { Limits } from '../client/limits.ts';

export class GroupCoordinator extends Coordinator {
  readonly group: string;

  constructor(cluster: Cluster, group: string) {
    super(cluster, {
      kind: 'group',
      key: group,
      refusalOf: (error) => refusal(protocolErrorId(error) as ErrorId, { group, cause: error }),
    });
    this.group = group;
  }

  /** The group's committed offsets of all partitions. Errors: as {@link send}. */
  async allCommitted(limits: Limits): Promise<PartitionOffset[]> {
    // The library's type lacks that `null` asks for all topics.
    const topics = null as unknown as offsetFetchV8.OffsetFetchRequestTopic[];
    const response = await this.send(
      (connection) => offsetFetchV8.api.async(connection, [{ groupId: this.group, memberEpoch: -1, topics }], false),
      limits,
    );
    return offsetsIn(response);
  }

  /** The group's committed offsets, without partitions that have none. Errors: as {@link send}. */
  async committed(
    partitions: readonly TopicPartition[],
    limits: Limits,
    options: { isStable: boolean },
  ): Promise<PartitionOffset[]> {
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, entries]) => ({
      name,
      partitionIndexes: entries.map(({ partition }) => partition),
    }));
    // While a transaction is being decided, the coordinator refuses stable offsets for some time (KIP-447).
    const response = await this.send(
      (connection) =>
        offsetFetchV8.api.async(connection, [{ groupId: this.group, memberEpoch: -1, topics }], options.isStable),
      limits,
    );
    const wanted = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)));
    return offsetsIn(response).filter(({ topic, partition }) => wanted.has(partitionKey(topic, partition)));
  }
}

function offsetsIn({ groups }: offsetFetchV8.OffsetFetchResponse): PartitionOffset[] {
  return (groups[0]?.topics ?? []).flatMap(({ name, partitions }) =>
    partitions
      .filter(({ committedOffset }) => committedOffset >= 0n)
      .map(({ partitionIndex, committedOffset }) => ({
        topic: name,
        partition: partitionIndex,
        offset: committedOffset,
      })),
  );
}

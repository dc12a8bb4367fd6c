/** Commits in this cluster what groups have committed in the other one, so that their consumers continue here. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { reasonOf } from '../kafka/client/failure-reason.ts';
import type { Limits } from '../kafka/client/limits.ts';
import { GroupCoordinator } from '../kafka/group/coordinator.ts';
import { sendOffsets } from '../kafka/group/offset-commit.ts';
import { type PartitionOffset, partitionKey } from '../records.ts';
import type { CarriedOver } from './replication.ts';
import { isKnown, type TwoWaySyncs, translateOffset } from './translate.ts';

export interface CarryOver {
  own: Cluster;
  /** From the other cluster to this one. */
  syncs: TwoWaySyncs;
  groups: readonly string[];
  /** What a group has committed in the other cluster. */
  committedThere: (group: string) => Promise<readonly PartitionOffset[]>;
  /** Whether the topic is one of those that are copied. */
  isMirrored: (topic: string) => boolean;
  limits: Limits;
}

/** Groups whose requests are on their way at one time. */
const GROUPS_AT_ONCE = 64;

/** Never throws. */
export async function carryOver(options: CarryOver): Promise<CarriedOver> {
  const result: CarriedOver = { groups: 0, partitions: 0, failed: [] };
  const waiting = [...new Set(options.groups)];
  const work = async (): Promise<void> => {
    for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
      try {
        const count = await carryOverGroup(group, options);
        result.partitions += count;
        if (count > 0) result.groups += 1;
      } catch (error) {
        result.failed.push({ group, reason: reasonOf(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(GROUPS_AT_ONCE, waiting.length) }, work));
  return result;
}

/** How many partitions were committed. */
async function carryOverGroup(
  group: string,
  { own, syncs, committedThere, isMirrored, limits }: CarryOver,
): Promise<number> {
  const there = (await committedThere(group)).filter(({ topic }) => isMirrored(topic));
  if (there.length === 0) return 0;
  const topics = await own.topics([...new Set(there.map(({ topic }) => topic))], limits);
  const existing = there.filter(({ topic, partition }) => {
    const answer = topics.get(topic);
    return answer !== undefined && 'topic' in answer && partition < answer.topic.partitions.length;
  });
  if (existing.length === 0) return 0;
  const coordinator = new GroupCoordinator(own, group);
  const committed = await coordinator.committed(existing, limits, { isStable: false });
  const here = new Map(committed.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]));
  const wanted = existing.flatMap((position): PartitionOffset[] => {
    const { topic, partition } = position;
    const known = here.get(partitionKey(topic, partition));
    // Never copied as far as is known: what the group has here counts.
    if (known !== undefined && !isKnown(syncs, position)) return [];
    const offset = translateOffset(syncs, position);
    return known === offset ? [] : [{ topic, partition, offset }];
  });
  if (wanted.length > 0) await sendOffsets(coordinator, wanted, { member: undefined, limits });
  return wanted.length;
}

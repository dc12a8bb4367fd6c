/** Commits in this cluster what groups have committed in the other one, so that their consumers continue here. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { memberStateIn } from '../kafka/client/failure.ts';
import { reasonOf } from '../kafka/client/failure-reason.ts';
import type { Limits } from '../kafka/client/limits.ts';
import { GroupCoordinator } from '../kafka/group/coordinator.ts';
import { sendOffsets } from '../kafka/group/offset-commit.ts';
import { removeStaticMembers } from '../kafka/group/static-members.ts';
import { isInstanceOfSession } from '../ownership/session-identity.ts';
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
  /** Finds a position exactly, from the one that syncs gave, if there is time. Never throws. */
  exact?: ((position: PartitionOffset, translated: bigint) => Promise<bigint>) | undefined;
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
  { own, syncs, committedThere, isMirrored, exact, limits }: CarryOver,
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
  const wanted = await Promise.all(
    existing.map(async (position): Promise<PartitionOffset[]> => {
      const { topic, partition } = position;
      const known = here.get(partitionKey(topic, partition));
      // Never copied as far as is known: what the group has here counts.
      if (known !== undefined && !isKnown(syncs, position)) return [];
      const translated = translateOffset(syncs, position);
      const offset = exact === undefined ? translated : await exact(position, translated);
      return known === offset ? [] : [{ topic, partition, offset }];
    }),
  ).then((found) => found.flat());
  if (wanted.length > 0) await commitAlone(coordinator, wanted, limits);
  return wanted.length;
}

/**
 * Kafka lets no other commit while the group has members. Those of sessions that this cluster had when it was active stay until they time out: they are removed,
 * since no bridge serves them. Errors: those of the library, with other members, too.
 */
async function commitAlone(
  coordinator: GroupCoordinator,
  offsets: readonly PartitionOffset[],
  limits: Limits,
): Promise<void> {
  try {
    await sendOffsets(coordinator, offsets, { member: undefined, limits });
  } catch (error) {
    if (memberStateIn(error) === undefined) throw error;
    const removal = { reason: 'another Kafka cluster was active since', limits };
    if ((await removeStaticMembers(coordinator, isInstanceOfSession, removal)) === 0) throw error;
    await sendOffsets(coordinator, offsets, { member: undefined, limits });
  }
}

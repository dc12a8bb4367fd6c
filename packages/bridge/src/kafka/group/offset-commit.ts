/** The request that commits a group's offsets, sent by a member or a non-member. */
import { offsetCommitV8 } from '@platformatic/kafka';
import type { PartitionOffset } from '../../records.ts';
import { memberStateIn, protocolErrorId, toBridgeError } from '../client/failure.ts';
import type { Limits } from '../client/limits.ts';
import type { GroupCoordinator } from './coordinator.ts';

/** The outcome of a commit. Other errors are thrown. */
export type CommitOutcome = 'committed' | 'rebalancing' | 'notMember' | 'fenced';

/** Who commits: a member of the group, or a {@link LoneCommitter}. */
export interface Committer {
  /** Errors: those of the library; `kafkaUnavailable`. */
  commit(offsets: readonly PartitionOffset[], limits: Limits): Promise<CommitOutcome>;
  /** Waits until it may commit again after `rebalancing`; returns whether that was in time. */
  join(limits: Limits): Promise<boolean>;
}

/** A member as the group knows it. */
export interface CommittingMember {
  generation: number;
  memberId: string;
  instanceId: string;
}

const NO_GENERATION = -1;
const ANY_LEADER_EPOCH = -1;

/** Errors: those of the library. */
export async function sendOffsets(
  coordinator: GroupCoordinator,
  offsets: readonly PartitionOffset[],
  { member, limits }: { member: CommittingMember | undefined; limits: Limits },
): Promise<void> {
  const { generation = NO_GENERATION, memberId = '', instanceId = null } = member ?? {};
  const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, entries]) => ({
    name,
    partitions: entries.map(({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: ANY_LEADER_EPOCH,
      committedMetadata: '',
    })),
  }));
  await coordinator.sendAndStore(
    (connection) => offsetCommitV8.api.async(connection, coordinator.group, generation, memberId, instanceId, topics),
    limits,
  );
}

/** Commits for a consumer that chose its partitions itself: Kafka allows it while the group has no members. */
export class LoneCommitter implements Committer {
  readonly #coordinator: GroupCoordinator;

  constructor(coordinator: GroupCoordinator) {
    this.#coordinator = coordinator;
  }

  async commit(offsets: readonly PartitionOffset[], limits: Limits): Promise<CommitOutcome> {
    try {
      await sendOffsets(this.#coordinator, offsets, { member: undefined, limits });
      return 'committed';
    } catch (error) {
      // The group has members, and this is not one of them.
      if (memberStateIn(error) !== undefined) return 'notMember';
      throw protocolErrorId(error) === undefined ? toBridgeError(error) : error;
    }
  }

  async join(): Promise<boolean> {
    return true;
  }
}

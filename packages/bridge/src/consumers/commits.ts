/**
 * The commits of a consumer: automatic ones of delivered records, and those that its client asks for. One commit is under way at a
 * time, none for a session that another bridge owns, and none of a response that may not have arrived.
 */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { BridgeError, listText } from '../errors.ts';
import { protocolErrorId, toBridgeError } from '../kafka/client/failure.ts';
import { bounded, type Limits, remainingMs, retrying, within } from '../kafka/client/limits.ts';
import type { Partitions } from '../kafka/fetch/partitions.ts';
import type { CommitOutcome, Committer } from '../kafka/group/offset-commit.ts';
import { isOwned, type Ownership } from '../ownership/ownership.ts';
import type { PartitionOffset } from '../records.ts';
import type { DeliveryLog } from './delivery.ts';
import type { SessionOptions } from './session-options.ts';
import type { Subscription } from './subscription.ts';

/** How long a commit waits for a partition that does not exist: a topic may be about to be created. */
const MISSING_PARTITION_WAIT_MS = 2000;
/** How many offsets of a commit an error lists. */
const MOST_LISTED = 100;

export interface CommitsDependencies {
  subscription: Subscription;
  partitions: Partitions;
  deliveries: DeliveryLog;
  ownership: Ownership;
}

export class Commits {
  readonly #options: SessionOptions;
  readonly #dependencies: CommitsDependencies;
  /** The automatic commit that is under way. */
  #committing: Promise<void> | undefined;

  constructor(options: SessionOptions, dependencies: CommitsDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /**
   * Commits delivered records, if the consumer commits automatically and this bridge may commit. One commit at a time, or one that
   * is repeated could arrive after a newer one. Never throws.
   */
  async commitDelivered(limits: Limits): Promise<void> {
    if (!this.#options.isAutoCommit) return;
    try {
      await this.untilCommitted(limits);
    } catch {
      return;
    }
    this.#committing = this.#commitDeliveredOnce(limits).finally(() => {
      this.#committing = undefined;
    });
    await this.#committing;
  }

  /** Waits for the automatic commit that is under way. Errors: as {@link bounded}. */
  async untilCommitted(limits: Limits): Promise<void> {
    while (this.#committing !== undefined) await bounded(this.#committing, limits);
  }

  /**
   * Commits positions that the client gave, or those of all delivered records. Errors: `commitRefused`,
   * `misdirected` once fenced, `consumerNotFound`, `kafkaRefused`, `kafkaUnavailable`.
   */
  async commitForClient(offsets: readonly PartitionOffset[] | undefined): Promise<void> {
    const { subscription, partitions, ownership } = this.#dependencies;
    const limits = within(this.#options.requestTimeoutMs);
    await ownership.confirm(limits);
    await this.untilCommitted(limits);
    const { committer } = subscription;
    while (true) {
      // Read again after a rebalance: partitions may have gone.
      const wanted = offsets ?? partitions.positions;
      if (wanted.length === 0) return;
      const outcome = await this.#commitWanted(wanted, committer, limits);
      switch (outcome) {
        case 'committed':
          partitions.setCommitted(wanted);
          return;
        case 'rebalancing':
          if (!(await committer.join(limits))) throw new BridgeError('kafkaUnavailable');
          break;
        case 'notMember':
          throw new BridgeError('commitRefused');
        case 'fenced':
          throw new BridgeError('misdirected');
        default:
          return assertNever(outcome);
      }
    }
  }

  async #commitDeliveredOnce(limits: Limits): Promise<void> {
    const { subscription, partitions, deliveries, ownership } = this.#dependencies;
    if (!subscription.isCommitPossible || partitions.uncommitted.length === 0) return;
    // The group refuses a member that another one has replaced.
    if (!subscription.isMember && !(await isOwned(ownership, limits).catch(() => false))) return;
    // Meanwhile there may be a newer response, which is not confirmed yet.
    const offsets = partitions.uncommittedBefore(deliveries.unreceived);
    if (offsets.length === 0) return;
    try {
      const outcome = await subscription.committer.commit(offsets, limits);
      if (outcome === 'committed') partitions.setCommitted(offsets);
    } catch {
      // Still uncommitted, and not reported: a poll must not fail for it, and the next commit tries again.
    }
  }

  async #commitWanted(
    offsets: readonly PartitionOffset[],
    committer: Committer,
    limits: Limits,
  ): Promise<CommitOutcome> {
    const missing = within(MISSING_PARTITION_WAIT_MS);
    try {
      return await retrying(
        () => committer.commit(offsets, limits),
        limits,
        (error) => protocolErrorId(error) === 'UNKNOWN_TOPIC_OR_PARTITION' && remainingMs(missing) > 0,
      );
    } catch (error) {
      if (protocolErrorId(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw toBridgeError(error);
      const list = offsets
        .slice(0, MOST_LISTED)
        .map(
          ({ topic, partition, offset }) =>
            `${topic}-${partition}=OffsetAndMetadata{offset=${offset}, leaderEpoch=null, metadata=''}`,
        );
      if (offsets.length > MOST_LISTED) list.push(`and ${offsets.length - MOST_LISTED} more`);
      throw new BridgeError('kafkaRefused', {
        message: `org.apache.kafka.common.errors.TimeoutException: Timeout of ${this.#options.requestTimeoutMs}ms expired before successfully committing offsets {${listText(list)}}`,
        cause: error,
      });
    }
  }
}

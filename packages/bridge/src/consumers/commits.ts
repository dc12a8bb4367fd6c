/** What a consumer commits: what it delivered, by itself, and what its client says. */
import { assertNever, BridgeError } from '../errors.ts';
import { protocolErrorId, toBridgeError } from '../kafka/failure.ts';
import { type Limits, retrying } from '../kafka/limits.ts';
import type { CommitOutcome, Committer } from '../kafka/offset-commit.ts';
import type { Checkpoint, Partitions } from '../kafka/partitions.ts';
import type { PartitionOffset } from '../records.ts';

/** Commits what was delivered, but for an answer that may not have arrived. Never throws: the next time tries again. */
export async function commitDelivered(
  { partitions, unreceived }: { partitions: Partitions; unreceived: Checkpoint | undefined },
  committer: Committer,
  limits: Limits,
): Promise<void> {
  const offsets = partitions.uncommittedBefore(unreceived);
  if (offsets.length === 0) return;
  try {
    const outcome = await committer.commit(offsets, limits);
    if (outcome === 'committed') partitions.setCommitted(offsets);
  } catch {
    // Still uncommitted, and told by nobody: a poll must not fail for it.
  }
}

export interface ClientCommit {
  partitions: Partitions;
  committer: Committer;
  /** Read again after a rebalance: partitions may have gone. */
  read: () => readonly PartitionOffset[];
  limits: Limits;
  /** As the client set it, for the message. */
  requestTimeoutMs: number;
}

/** Commits for a client. Errors: `commitRefused`, `misdirected` once fenced, `kafkaRefused`, `kafkaUnavailable`. */
export async function commitForClient(commit: ClientCommit): Promise<void> {
  const { partitions, committer, read, limits } = commit;
  while (true) {
    const offsets = read();
    if (offsets.length === 0) return;
    const outcome = await commitOnce(commit, offsets);
    switch (outcome) {
      case 'committed':
        partitions.setCommitted(offsets);
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

async function commitOnce(
  { committer, limits, requestTimeoutMs }: ClientCommit,
  offsets: readonly PartitionOffset[],
): Promise<CommitOutcome> {
  try {
    return await retrying(
      () => committer.commit(offsets, limits),
      limits,
      // A topic may be about to be created; Kafka's clients wait for it too.
      (error) => protocolErrorId(error) === 'UNKNOWN_TOPIC_OR_PARTITION',
    );
  } catch (error) {
    if (protocolErrorId(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw toBridgeError(error);
    const list = offsets.map(
      ({ topic, partition, offset }) =>
        `${topic}-${partition}=OffsetAndMetadata{offset=${offset}, leaderEpoch=null, metadata=''}`,
    );
    throw new BridgeError('kafkaRefused', {
      message: `org.apache.kafka.common.errors.TimeoutException: Timeout of ${requestTimeoutMs}ms expired before successfully committing offsets {${list.join(', ')}}`,
      cause: error,
    });
  }
}

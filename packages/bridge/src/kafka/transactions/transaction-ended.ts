/** Why a transaction cannot be committed any more, or may or may not have been. Its records are sent again in another one. */
import type { TopicPartition } from '../../records.ts';
import { javaException, protocolErrorId } from '../client/failure.ts';
import { reasonOf } from '../client/failure-reason.ts';
import { type ErrorId, kafkaError } from '../client/kafka-errors.ts';

export class TransactionEnded extends Error {
  /** Kafka's error; `undefined` when a broker did not respond. */
  readonly errorId: ErrorId | undefined;
  /**
   * A request to commit had no answer, or one that leaves its outcome open. `false`: no reader of committed records will ever see
   * the transaction.
   */
  readonly mayBeCommitted: boolean;
  /** Partitions that did not store their batches in time. */
  readonly unsettled: readonly TopicPartition[];

  constructor(
    message: string,
    {
      errorId,
      cause,
      mayBeCommitted = false,
      unsettled = [],
    }: {
      errorId?: ErrorId | undefined;
      cause?: unknown;
      mayBeCommitted?: boolean;
      unsettled?: readonly TopicPartition[];
    },
  ) {
    super(message, { cause });
    this.name = 'TransactionEnded';
    this.errorId = errorId;
    this.mayBeCommitted = mayBeCommitted;
    this.unsettled = unsettled;
  }

  /** Whether another producer may have the transactional id now. The commit may have succeeded before: {@link mayBeCommitted}. */
  get isFenced(): boolean {
    return this.errorId !== undefined && kafkaError(this.errorId).endsTransaction === true;
  }
}

/** The failure of a request about a transaction. */
export function endedBy(error: unknown, { mayBeCommitted = false } = {}): TransactionEnded {
  if (error instanceof TransactionEnded) return error;
  const errorId = protocolErrorId(error);
  const message = errorId === undefined ? reasonOf(error) : javaException(errorId);
  return new TransactionEnded(message, { errorId, cause: error, mayBeCommitted });
}

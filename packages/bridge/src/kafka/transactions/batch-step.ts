/** Decides what follows from one attempt to store a batch of a transaction. */
import { isRetriable, kafkaError } from '../client/kafka-errors.ts';
import type { BatchOutcome } from '../produce/produce.ts';

export type BatchStep =
  /** Stored, or refused for good: the transaction continues without it. */
  | 'done'
  /** The same batch goes again; the broker recognizes one that it has. */
  | 'again'
  /** The transaction cannot be committed, or the place of the records is unknown. */
  | 'ended';

/** `outcome`: `undefined` when the broker did not respond. `mayBeStored`: an earlier attempt may have stored the batch. */
export function stepAfter(outcome: BatchOutcome | undefined, { mayBeStored }: { mayBeStored: boolean }): BatchStep {
  if (outcome === undefined) return 'again';
  if (outcome.kind === 'stored') return 'done';
  const { errorId } = outcome;
  // One partition was refused before records were sent, and so none was added to the transaction.
  if (isRetriable(errorId) || errorId === 'OPERATION_NOT_ATTEMPTED') return 'again';
  const { endsTransaction, stored } = kafkaError(errorId);
  if (endsTransaction === true || errorId === 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED') return 'ended';
  return stored !== undefined || mayBeStored ? 'ended' : 'done';
}

/** Whether the broker may have stored the batch, or may do so later, although it did not say so. */
export function isInDoubt(outcome: BatchOutcome | undefined): boolean {
  if (outcome === undefined) return true;
  return outcome.kind === 'refused' && kafkaError(outcome.errorId).stored !== undefined;
}

/** Decides what follows from one attempt to store a batch. */
import { statusOf } from '../errors.ts';
import { subjectText } from '../kafka/client/failure.ts';
import { isForbidden, isRetriable, kafkaError } from '../kafka/client/kafka-errors.ts';
import type { BatchOutcome } from '../kafka/produce/produce.ts';

export type BatchVerdict =
  /** Without an offset, an earlier attempt stored the batch, and the broker no longer knows where. */
  | { kind: 'stored'; baseOffset: bigint | undefined }
  /** The same batch goes again. */
  | { kind: 'sendAgain' }
  /** Its records go again under another producer id. */
  | { kind: 'startOver' }
  /** Its records go again without the bad ones; in smaller batches when Kafka does not say which are bad. */
  | { kind: 'separate'; badRecords: ReadonlyMap<number, string> }
  /** Every record in it fails, with this code and text. */
  | { kind: 'refused'; errorCode: number; message: string };

/** `outcome` is `undefined` when the broker did not respond. */
export function verdictOf(outcome: BatchOutcome | undefined, topic: string, recordCount: number): BatchVerdict {
  if (outcome === undefined) return { kind: 'sendAgain' };
  if (outcome.kind === 'stored') return outcome;
  const { errorId, badRecords } = outcome;
  if (isRetriable(errorId)) return { kind: 'sendAgain' };
  const { remedy, stored, bridgeError = 'kafkaRefused' } = kafkaError(errorId);
  if (stored === 'yes') return { kind: 'stored', baseOffset: undefined };
  if (remedy === 'newProducerId') return { kind: 'startOver' };
  if (remedy === 'fewerRecords' && recordCount > 1) return { kind: 'separate', badRecords };
  const message = isForbidden(errorId)
    ? subjectText(errorId, { topics: [topic] })
    : (badRecords.get(0) ?? outcome.message);
  return { kind: 'refused', errorCode: statusOf(bridgeError), message };
}

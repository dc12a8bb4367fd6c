/** Decides what a broker's response means for one partition, and adds the records that it brought to the partition's buffer. */
import { BridgeError } from '../../errors.ts';
import { refusal } from '../client/failure.ts';
import { type ErrorId, errorIdOf, isForbidden } from '../client/kafka-errors.ts';
import type { IsolationLevel } from '../client/list-offsets.ts';
import type { FetchedPartition } from './fetch.ts';
import { accept, nextOffset, type Partition } from './partition.ts';
import type { ReadReplicas } from './read-replicas.ts';
import { fetchedBuffer, hasRecords } from './record-buffer.ts';
import { unreadable } from './record-reader.ts';

export type Acceptance =
  | { kind: 'accepted' }
  /** The metadata are out of date. */
  | { kind: 'stale' }
  /** The log does not have the partition's position. */
  | { kind: 'outOfRange' }
  /** The next poll fails with this error, and so do those after it until the client seeks elsewhere. */
  | { kind: 'failed'; error: BridgeError };

export interface AcceptOptions {
  isolationLevel: IsolationLevel;
  /** Whether checksums of record batches are compared. */
  isChecking: boolean;
  replicas: ReadReplicas;
}

const ACCEPTED: Acceptance = { kind: 'accepted' };

export function acceptFetched(found: Partition, fetched: FetchedPartition, options: AcceptOptions): Acceptance {
  const { isolationLevel, isChecking, replicas } = options;
  const errorId = errorIdOf(fetched.errorCode);
  if (errorId !== undefined) return acceptError(found, errorId, replicas);
  if (fetched.preferredReplica >= 0) replicas.prefer(found, fetched.preferredReplica);
  const isCommittedOnly = isolationLevel === 'read_committed';
  try {
    const buffer = fetchedBuffer({
      position: nextOffset(found) ?? 0n,
      batches: fetched.batches,
      abortedTransactions: isCommittedOnly ? fetched.abortedTransactions : null,
      isChecking,
    });
    accept(found, buffer);
  } catch (error) {
    return failedAfterBuffered(found, () => unreadable(found, error));
  }
  found.logEnd = isCommittedOnly ? fetched.lastStableOffset : fetched.highWatermark;
  return ACCEPTED;
}

function acceptError(found: Partition, errorId: ErrorId, replicas: ReadReplicas): Acceptance {
  if (errorId === 'OFFSET_OUT_OF_RANGE') {
    // A replica may be behind: the leader knows.
    if (replicas.giveUp(found)) return ACCEPTED;
    return hasRecords(found.buffer) ? ACCEPTED : { kind: 'outOfRange' };
  }
  if (errorId === 'CORRUPT_MESSAGE') return failedAfterBuffered(found, () => corrupt(found));
  if (isForbidden(errorId)) return { kind: 'failed', error: refusal(errorId, { topics: [found.topic] }) };
  return { kind: 'stale' };
}

/** What is buffered comes before the place that cannot be read: the fetch that follows it meets the same error. */
function failedAfterBuffered(found: Partition, error: () => BridgeError): Acceptance {
  return hasRecords(found.buffer) ? ACCEPTED : { kind: 'failed', error: error() };
}

/** The broker cannot read the batch. */
function corrupt({ topic, partition, position }: Partition): BridgeError {
  return new BridgeError('kafkaRefused', {
    message: `org.apache.kafka.common.KafkaException: Encountered corrupt message when fetching offset ${position} for topic-partition ${topic}-${partition}`,
  });
}

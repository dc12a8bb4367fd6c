/** Records of a partition that were fetched and not yet taken: batches as they arrived, read record by record. */
import { type AbortedTransaction, visibleBatches } from './read-committed.ts';
import { type RecordBatch, readBatches } from './record-batches.ts';
import { RecordCursor } from './record-cursor.ts';

/** Immutable: taking and appending create another one. */
export interface RecordBuffer {
  /** Without empty ones. */
  readonly batches: readonly RecordBatch[];
  /** The place of the next record in the first batch. */
  readonly next: RecordPlace;
  /** The offset after the last fetched record: where the next fetch begins, while there are records. */
  readonly end: bigint;
}

/** A record in its batch. */
export interface RecordPlace {
  index: number;
  at: number;
}

export const FIRST_RECORD: RecordPlace = { index: 0, at: 0 };
export const EMPTY_BUFFER: RecordBuffer = { batches: [], next: FIRST_RECORD, end: 0n };

export interface FetchedBatches {
  /** Records before it are left out: the broker sends whole batches. */
  position: bigint;
  batches: Buffer;
  abortedTransactions: readonly AbortedTransaction[] | null;
  /** Whether checksums are compared. */
  isChecking: boolean;
}

/**
 * A buffer of the records that were fetched from a position. It includes damaged batches, which throw when they are read.
 * Errors: `RangeError` for bytes that are not batches.
 */
export function fetchedBuffer({ position, batches, abortedTransactions, isChecking }: FetchedBatches): RecordBuffer {
  const fetched = readBatches(batches, { isChecking });
  const visible = visibleBatches(fetched, abortedTransactions).filter(
    (batch) => batch.recordCount > 0 && batch.end > position,
  );
  const last = fetched.at(-1)?.end ?? position;
  const end = last > position ? last : position;
  let next = FIRST_RECORD;
  let [first] = visible;
  // A batch may have lost its last records to compaction, and have nothing for this position.
  while (first !== undefined) {
    next = placeOf(first, position);
    if (next.index < first.recordCount) break;
    visible.shift();
    next = FIRST_RECORD;
    [first] = visible;
  }
  return { batches: visible, next, end };
}

/** The first record of a batch that is not before the position, or the first that cannot be read. */
function placeOf(batch: RecordBatch, position: bigint): RecordPlace {
  if (position <= batch.firstOffset) return FIRST_RECORD;
  const delta = Number(position - batch.firstOffset);
  const place = { ...FIRST_RECORD };
  try {
    const cursor = new RecordCursor(batch.records);
    for (; place.index < batch.recordCount; place.index += 1) {
      place.at = cursor.at;
      cursor.next();
      if (cursor.offsetDelta >= delta) break;
    }
  } catch {
    // The reader meets the same error, and reports it.
  }
  return place;
}

export function hasRecords({ batches }: RecordBuffer): boolean {
  return batches.length > 0;
}

/** Appends records that were fetched later. */
export function appended(buffer: RecordBuffer, later: RecordBuffer): RecordBuffer {
  if (!hasRecords(buffer)) return later;
  return { batches: buffer.batches.concat(later.batches), next: buffer.next, end: later.end };
}

/** Bytes of the log that the remaining records take; for the first batch an estimate by their count. */
export function remainingBytes({ batches, next }: RecordBuffer): number {
  let bytes = 0;
  for (const { storedBytes } of batches) bytes += storedBytes;
  const [first] = batches;
  return first === undefined ? 0 : bytes - (first.storedBytes * next.index) / first.recordCount;
}

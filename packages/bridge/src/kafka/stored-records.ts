/** Turns the record batches of a fetch into records. */
import type { StoredRecord } from '../records.ts';
import { type AbortedTransaction, visibleBatches } from './read-committed.ts';
import { type RecordBatch, readBatches, readRecords } from './record-batches.ts';

/** Attribute bit of a batch whose records have the time at which the broker stored it. */
const LOG_APPEND_TIME = 1 << 3;

export interface FetchedBatches {
  topic: string;
  partition: number;
  /** Records before it are left out: the broker sends whole batches. */
  position: bigint;
  batches: Buffer;
  abortedTransactions: readonly AbortedTransaction[] | null;
}

/** The records from the position on, and the offset after everything that was fetched. */
export function storedRecords(fetched: FetchedBatches): { records: StoredRecord[]; end: bigint } {
  const { position, abortedTransactions } = fetched;
  const batches = readBatches(fetched.batches);
  const records: StoredRecord[] = [];
  for (const batch of visibleBatches(batches, abortedTransactions)) addRecords(records, batch, fetched);
  const last = batches.at(-1);
  const end = last === undefined ? position : last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
  return { records, end: end > position ? end : position };
}

function addRecords(records: StoredRecord[], batch: RecordBatch, { topic, partition, position }: FetchedBatches): void {
  const { firstOffset, firstTimestampMs, maxTimestampMs, attributes } = batch;
  const hasAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
  const firstDelta = position > firstOffset ? Number(position - firstOffset) : 0;
  let timestampMs = hasAppendTime ? maxTimestampMs : firstTimestampMs;
  let timestampDeltaMs = 0;
  for (const record of readRecords(batch)) {
    if (record.offsetDelta < firstDelta) continue;
    if (!hasAppendTime && record.timestampDeltaMs !== timestampDeltaMs) {
      timestampDeltaMs = record.timestampDeltaMs;
      timestampMs = firstTimestampMs + BigInt(timestampDeltaMs);
    }
    records.push({
      topic,
      partition,
      offset: firstOffset + BigInt(record.offsetDelta),
      timestampMs,
      key: record.key,
      value: record.value,
      headers: record.headers,
    });
  }
}

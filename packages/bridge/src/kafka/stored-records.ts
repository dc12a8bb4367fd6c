/** Turns the record batches of a fetch into records. */
import type { RecordsBatch } from '@platformatic/kafka';
import type { StoredRecord } from '../records.ts';
import { type AbortedTransaction, visibleBatches } from './read-committed.ts';

/** Attribute bit of a batch whose records have the time at which the broker stored it. */
const LOG_APPEND_TIME = 1 << 3;

export interface FetchedBatches {
  topic: string;
  partition: number;
  /** Records before it are left out: the broker sends whole batches. */
  position: bigint;
  batches: readonly RecordsBatch[];
  abortedTransactions: readonly AbortedTransaction[] | null;
}

/** The records from the position on, and the offset after everything that was fetched. */
export function storedRecords(fetched: FetchedBatches): { records: StoredRecord[]; end: bigint } {
  const { topic, partition, position, batches, abortedTransactions } = fetched;
  const records: StoredRecord[] = [];
  for (const batch of visibleBatches(batches, abortedTransactions)) {
    const hasAppendTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
    for (const record of batch.records) {
      const offset = batch.firstOffset + BigInt(record.offsetDelta);
      if (offset < position) continue;
      records.push({
        topic,
        partition,
        offset,
        timestampMs: hasAppendTime ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta,
        key: record.key,
        value: record.value,
        headers: record.headers,
      });
    }
  }
  const last = batches.at(-1);
  const end = last === undefined ? position : last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
  return { records, end: end > position ? end : position };
}

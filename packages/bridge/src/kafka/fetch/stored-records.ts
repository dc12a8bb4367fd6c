/** Turns the record batches of a fetch into records, all at once: for topics that are kept in memory. */
import type { StoredRecord, TopicPartition } from '../../records.ts';
import { newPartition } from './partition.ts';
import { type FetchedBatches, fetchedBuffer } from './record-buffer.ts';
import { RecordReader } from './record-reader.ts';

/** The records from the position on, and the offset after the last fetched record. Errors: `RangeError` for bytes that are not batches. */
export function storedRecords(fetched: FetchedBatches & TopicPartition): { records: StoredRecord[]; end: bigint } {
  const { topic, partition, position } = fetched;
  const buffer = fetchedBuffer(fetched);
  const reader = new RecordReader([{ ...newPartition(topic, partition), position, buffer }], Number.POSITIVE_INFINITY);
  const records: StoredRecord[] = [];
  while (reader.next()) records.push(reader.record);
  return { records, end: buffer.end };
}

/** Turns the record batches of a fetch into records. */
import { BridgeError } from '../errors.ts';
import type { StoredRecord, TopicPartition } from '../records.ts';
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
  /** Whether checksums are compared. */
  isChecking: boolean;
}

/** The records from the position on, and the offset after everything that was fetched. Errors: `RangeError` for what are no batches. */
export function storedRecords(fetched: FetchedBatches): { records: StoredRecord[]; end: bigint } {
  const { position, abortedTransactions } = fetched;
  const batches = readBatches(fetched.batches, fetched);
  const records: StoredRecord[] = [];
  for (const batch of visibleBatches(batches, abortedTransactions)) {
    const count = records.length;
    try {
      addRecords(records, batch, fetched);
    } catch (cause) {
      // The bytes will be the same at every attempt: told in the batch's place, so that a client can pass it over.
      records.length = count;
      if (batch.firstOffset + BigInt(batch.lastOffsetDelta) >= position) records.push(damaged(batch, fetched, cause));
    }
  }
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

/** Stands for a batch that cannot be read. */
function damaged(batch: RecordBatch, { topic, partition, position }: FetchedBatches, cause: unknown): StoredRecord {
  const { firstOffset, firstTimestampMs: timestampMs } = batch;
  const offset = firstOffset > position ? firstOffset : position;
  const damage = unreadable({ topic, partition }, cause);
  return { topic, partition, offset, timestampMs, key: null, value: null, headers: [], damage };
}

/** The words of Kafka's consumer in Java. */
export function unreadable({ topic, partition }: TopicPartition, cause: unknown): BridgeError {
  const message = `org.apache.kafka.common.KafkaException: Received exception when fetching the next record from ${topic}-${partition}. If needed, please seek past the record to continue consumption.`;
  return new BridgeError('kafkaRefused', { message, cause });
}

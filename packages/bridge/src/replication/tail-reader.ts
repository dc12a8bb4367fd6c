/** Reads what stands between two offsets of a partition: records that are committed, without those of aborted transactions and markers. */
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { errorIdOf, errorText } from '../kafka/client/kafka-errors.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import { storedRecords } from '../kafka/fetch/stored-records.ts';
import { TopicReader } from '../kafka/fetch/topic-reader.ts';
import type { StoredRecord, TopicPartition } from '../records.ts';

/** Of a record without key, value and headers, as JSON. */
const RECORD_OVERHEAD_BYTES = 64;

export interface OffsetSpan extends TopicPartition {
  from: number;
  /** The offset behind the last one. */
  to: number;
}

/** The committed records of the span, a fetch at a time; ends early where a transaction is open. Errors: `kafkaUnavailable`. */
export async function* readSpan(
  cluster: Cluster,
  { topic, partition, from, to }: OffsetSpan,
  limits: Limits,
): AsyncIterableIterator<StoredRecord[]> {
  const answer = (await cluster.topics([topic], limits, { maxAgeMs: 1000 })).get(topic);
  if (answer === undefined || !('topic' in answer)) {
    throw new BridgeError('kafkaUnavailable', { message: `Topic ${topic} cannot be read: it does not exist` });
  }
  const reader = new TopicReader(cluster, answer.topic.id, { isolationLevel: 'read_committed' });
  try {
    const leader = await reader.connect(answer.topic.partitions[partition]?.leader ?? -1, limits);
    for (let position = BigInt(from); position < to; ) {
      const fetched = await bounded(leader.fetch([{ number: partition, position }], 0), limits);
      const found = fetched.partitions[0];
      const errorId = errorIdOf(fetched.errorCode) ?? errorIdOf(found?.errorCode ?? 0);
      if (errorId !== undefined || found === undefined) {
        const text = errorText(errorId ?? 'UNKNOWN_SERVER_ERROR');
        throw new BridgeError('kafkaUnavailable', { message: `Topic ${topic} cannot be read: ${text}` });
      }
      const { batches, abortedTransactions } = found;
      const read = storedRecords({ topic, partition, position, batches, abortedTransactions, isChecking: true });
      yield read.records.filter(({ offset }) => offset < to);
      if (read.end <= position) return;
      position = read.end;
    }
  } finally {
    await reader.close();
  }
}

export interface ReadRecords {
  records: readonly StoredRecord[];
  /** Where the next call begins; `undefined` at the end of the span. */
  next: number | undefined;
}

/** The first of the committed records of the span, until they have `maxBytes`. Errors: as {@link readSpan}. */
export async function readSome(
  cluster: Cluster,
  span: OffsetSpan,
  { maxBytes, limits }: { maxBytes: number; limits: Limits },
): Promise<ReadRecords> {
  const some: StoredRecord[] = [];
  let bytes = 0;
  for await (const records of readSpan(cluster, span, limits)) {
    for (const record of records) {
      if (bytes >= maxBytes) return { records: some, next: Number(record.offset) };
      some.push(record);
      bytes += sizeOf(record);
    }
  }
  return { records: some, next: undefined };
}

function sizeOf({ key, value, headers }: StoredRecord): number {
  const ofHeaders = headers.reduce((sum, [name, text]) => sum + (name?.length ?? 0) + (text?.length ?? 0), 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders + RECORD_OVERHEAD_BYTES;
}

/** How many records the span has. Errors: as {@link readSpan}. */
export async function countRecords(cluster: Cluster, span: OffsetSpan, limits: Limits): Promise<number> {
  let count = 0;
  for await (const records of readSpan(cluster, span, limits)) count += records.length;
  return count;
}

/** Reads what stands between two offsets of a partition: records that are committed, without those of aborted transactions and markers. */
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { errorIdOf, errorText } from '../kafka/client/kafka-errors.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import { storedRecords } from '../kafka/fetch/stored-records.ts';
import { TopicReader } from '../kafka/fetch/topic-reader.ts';
import type { StoredRecord, TopicPartition } from '../records.ts';

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

/** How many records the span has. Errors: as {@link readSpan}. */
export async function countRecords(cluster: Cluster, span: OffsetSpan, limits: Limits): Promise<number> {
  let count = 0;
  for await (const records of readSpan(cluster, span, limits)) count += records.length;
  return count;
}

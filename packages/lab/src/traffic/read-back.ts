/** Reads a topic with kafkajs, an independent client, to verify what Kafka stores. */
import { independentClient, type KafkaAccess } from '../stack/kafka-client.ts';
import { recordNumber } from './consumer.ts';

export interface ReadBackOptions {
  kafka: KafkaAccess;
  topic: string;
  runId: string;
  /** Cancels the reading. */
  signal: AbortSignal;
}

/** How often each record of the run is in the topic, by its number. Errors: those of kafkajs, and the signal's reason. */
export async function readBack({ kafka, topic, runId, signal }: ReadBackOptions): Promise<Map<number, number>> {
  const client = independentClient(kafka);
  const ends = await endOffsets(client, topic);
  const counts = new Map<number, number>();
  if (ends.size === 0) return counts;

  const consumer = client.consumer({ groupId: `lab-read-back-${runId}` });
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  // Unused when connecting fails first.
  finished.catch(() => {});
  try {
    signal.throwIfAborted();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) {
          const record = recordNumber(parseValue(message.value), runId);
          if (record !== undefined) counts.set(record, (counts.get(record) ?? 0) + 1);
        }
        const end = ends.get(batch.partition);
        if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) ends.delete(batch.partition);
        if (ends.size === 0) resolve();
      },
    });
    await finished;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await consumer.disconnect();
    await deleteGroup(client, `lab-read-back-${runId}`);
  }
  return counts;
}

/** The end of every partition that has records. */
async function endOffsets(client: ReturnType<typeof independentClient>, topic: string): Promise<Map<number, bigint>> {
  const admin = client.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets
        .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
        .filter(({ low, high }) => high > low)
        .map(({ partition, high }) => [partition, high]),
    );
  } finally {
    await admin.disconnect();
  }
}

/** Removes the group, so that an existing Kafka stays unchanged. */
async function deleteGroup(client: ReturnType<typeof independentClient>, group: string): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    await admin.deleteGroups([group]);
  } catch {
    // The group was never created.
  } finally {
    await admin.disconnect();
  }
}

function parseValue(value: Buffer | null): unknown {
  if (value === null) return undefined;
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}

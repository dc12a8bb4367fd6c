/** Topics that MirrorMaker keeps for itself: compacted, and here with one partition.  */
import { independentClient } from './kafka-client.ts';

export interface InternalRecord {
  key: Buffer;
  /** Null: the key has no value any more. */
  value: Buffer | null;
}

/** The records of partition 0, in their order; none of a topic that does not exist. */
export async function readInternalTopic(bootstrap: string, topic: string): Promise<InternalRecord[]> {
  const kafka = independentClient(bootstrap);
  const admin = kafka.admin();
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic)) return [];
    const [bounds] = await admin.fetchTopicOffsets(topic);
    if (bounds === undefined || bounds.low === bounds.high) return [];
    const groupId = `lab-reader-${topic}`;
    const consumer = kafka.consumer({ groupId });
    const records: InternalRecord[] = [];
    const { promise: finished, resolve } = Promise.withResolvers<void>();
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ message: { key, value, offset } }) => {
          if (key !== null) records.push({ key, value });
          if (BigInt(offset) + 1n >= BigInt(bounds.high)) resolve();
        },
      });
      await finished;
    } finally {
      await consumer.disconnect();
      await admin.deleteGroups([groupId]);
    }
    return records;
  } finally {
    await admin.disconnect();
  }
}

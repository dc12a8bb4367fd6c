/** Where a promoted cluster's own records begin: behind the last record that MirrorMaker brought, by its offset syncs. */
import { independentClient } from './kafka-client.ts';
import type { Direction } from './mirror-maker.ts';

export interface PartitionOffset {
  topic: string;
  partition: number;
  offset: number;
}

/** Kafka's STRING begins with its length. */
const LENGTH_BYTES = 2;
/** In the value of a sync, behind the offset in the other cluster. */
const DOWNSTREAM_AT = 8;

/**
 * For each partition that `source` had from `target` before it was promoted. MirrorMaker writes a sync for each record that it brings
 * (`offset.lag.max=0`), except for the last ones before a SIGKILL: those it copies back, too.
 */
export async function firstOwnOffsets({ source, target }: Direction): Promise<PartitionOffset[]> {
  const topic = `mm2-offset-syncs.${target.name}.internal`;
  const offsets = new Map<string, PartitionOffset>();
  await readToEnd(source.bootstrap, topic, ({ key, value }) => {
    if (key === null || value === null) return;
    const partitionAt = LENGTH_BYTES + key.readUInt16BE(0);
    offsets.set(key.toString('base64'), {
      topic: key.toString('utf8', LENGTH_BYTES, partitionAt),
      partition: key.readInt32BE(partitionAt),
      offset: Number(value.readBigInt64BE(DOWNSTREAM_AT)) + 1,
    });
  });
  return [...offsets.values()];
}

interface Message {
  key: Buffer | null;
  value: Buffer | null;
}

/** The records of partition 0, in their order; none of a topic that does not exist. */
async function readToEnd(bootstrap: string, topic: string, onMessage: (message: Message) => void): Promise<void> {
  const kafka = independentClient(bootstrap);
  const admin = kafka.admin();
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic)) return;
    const [bounds] = await admin.fetchTopicOffsets(topic);
    if (bounds === undefined || bounds.low === bounds.high) return;
    const groupId = `lab-reader-${topic}`;
    const consumer = kafka.consumer({ groupId });
    const { promise: finished, resolve } = Promise.withResolvers<void>();
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ message }) => {
          onMessage(message);
          if (BigInt(message.offset) + 1n >= BigInt(bounds.high)) resolve();
        },
      });
      await finished;
    } finally {
      await consumer.disconnect();
      await admin.deleteGroups([groupId]);
    }
  } finally {
    await admin.disconnect();
  }
}

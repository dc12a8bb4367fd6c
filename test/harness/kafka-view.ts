/** Kafka through kafkajs: the independent witness of the tests. */
import { randomUUID } from 'node:crypto';
import { createTopics } from '@causeway/lab/stack/kafka.ts';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import type { Admin, KafkaMessage } from 'kafkajs';
import { until } from './until.ts';

/** A name that no other test uses. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

export interface WrittenMessage {
  key?: string | Buffer;
  value: string | Buffer | null;
  /** Default: by kafkajs' partitioner. */
  partition?: number;
}

/** Kafka through kafkajs. */
export class KafkaView {
  readonly bootstrap: string;
  readonly #admin: Admin;

  private constructor(bootstrap: string, admin: Admin) {
    this.bootstrap = bootstrap;
    this.#admin = admin;
  }

  static async connect(bootstrap: string): Promise<KafkaView> {
    const admin = independentClient(bootstrap).admin();
    await admin.connect();
    return new KafkaView(bootstrap, admin);
  }

  get admin(): Admin {
    return this.#admin;
  }

  close(): Promise<void> {
    return this.#admin.disconnect();
  }

  /** Creates a topic with a unique name. */
  async topic(partitionCount = 1, configs: Record<string, string> = {}): Promise<string> {
    const topic = unique('topic');
    await this.createTopic(topic, partitionCount, configs);
    return topic;
  }

  async createTopic(topic: string, partitionCount = 1, configs: Record<string, string> = {}): Promise<void> {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
    await createTopics(this.#admin, [{ topic, numPartitions: partitionCount, configEntries }]);
  }

  /** Committed offsets by partition; -1 without a commit. */
  async committed(group: string, topic: string): Promise<number[]> {
    const [found] = await this.#admin.fetchOffsets({ groupId: group, topics: [topic] });
    return (found?.partitions ?? []).sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
  }

  /** The first `count` records of a topic. */
  async read(topic: string, count: number): Promise<(KafkaMessage & { partition: number })[]> {
    const consumer = independentClient(this.bootstrap).consumer({ groupId: unique('reader'), maxWaitTimeInMs: 50 });
    const messages: (KafkaMessage & { partition: number })[] = [];
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message, partition }) => {
          messages.push({ ...message, partition });
        },
      });
      await until(`${count} records in ${topic}`, () => messages.length >= count);
    } finally {
      await consumer.disconnect();
    }
    return messages;
  }

  async write(topic: string, messages: readonly WrittenMessage[]): Promise<void> {
    let left = messages;
    await until(`${topic} has ${messages.length} more records`, async () => {
      // A new producer, with metadata of this moment.
      const producer = independentClient(this.bootstrap).producer();
      await producer.connect();
      const stored = await producer.send({ topic, messages: [...left] });
      await producer.disconnect();
      // kafkajs drops messages for a partition that its metadata lack, as they may lack one that was just added.
      const found = new Set(stored.map(({ partition }) => partition));
      left = left.filter(({ partition }) => partition !== undefined && !found.has(partition));
      return left.length === 0;
    });
  }

  /** The client ids of a group's members. */
  async members(group: string): Promise<string[]> {
    return (await this.group(group)).members;
  }

  /** A group's state, and the client ids of its members. */
  async group(group: string): Promise<{ state: string | undefined; members: string[] }> {
    const { groups } = await this.#admin.describeGroups([group]);
    const members = (groups[0]?.members ?? []).map(({ clientId }) => clientId).sort();
    return { state: groups[0]?.state, members };
  }
}

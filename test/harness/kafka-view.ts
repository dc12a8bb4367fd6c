/** Kafka through kafkajs: the independent witness of the tests. */
import { randomUUID } from 'node:crypto';
import { createTopics, independentClient } from '@causeway/lab/stack/kafka.ts';
import type { Admin, KafkaMessage } from 'kafkajs';
import { until } from './until.ts';

/** A name that no other test uses. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** Kafka through kafkajs. */
export class KafkaView {
  readonly #bootstrap: string;
  readonly #admin: Admin;

  private constructor(bootstrap: string, admin: Admin) {
    this.#bootstrap = bootstrap;
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
    const consumer = independentClient(this.#bootstrap).consumer({ groupId: unique('reader'), maxWaitTimeInMs: 50 });
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

  async write(
    topic: string,
    messages: { key?: string | Buffer; value: string | Buffer | null; partition?: number }[],
  ): Promise<void> {
    const producer = independentClient(this.#bootstrap).producer();
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** The client ids of a group's members. */
  async members(group: string): Promise<string[]> {
    const { groups } = await this.#admin.describeGroups([group]);
    return (groups[0]?.members ?? []).map(({ clientId }) => clientId).sort();
  }
}

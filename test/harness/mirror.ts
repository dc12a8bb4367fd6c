/**
 * Copies topics from one Kafka to another as MirrorMaker 2 does with `IdentityReplicationPolicy`: same topics, partitions and times, and syncs and
 * checkpoints in the target. In the test's process, and under its control: it pauses when the test says so.
 */
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import type { Consumer, EachBatchPayload, KafkaMessage, Message, Producer } from 'kafkajs';
import { unique } from './kafka-view.ts';
import { until } from './until.ts';

export interface TestMirrorOptions {
  source: { name: string; bootstrap: string };
  target: string;
  topics: readonly string[];
  /** The offset of the first record that is copied, of partitions that are not copied from their beginning, by `topic-partition`. */
  from?: Readonly<Record<string, number>>;
}

/** Which copied records get a sync. */
export type SyncPolicy =
  /** The last one of a batch, and of every 100 before. */
  | 'last'
  /** None. */
  | 'none';

const SYNC_STEP = 100;

export class TestMirror {
  readonly #options: TestMirrorOptions;
  readonly #consumer: Consumer;
  readonly #producer: Producer;
  readonly #copied = new Map<string, bigint>();
  syncPolicy: SyncPolicy = 'last';

  private constructor(options: TestMirrorOptions) {
    this.#options = options;
    const { source, target } = options;
    this.#consumer = independentClient(source.bootstrap).consumer({ groupId: unique('mirror'), maxWaitTimeInMs: 20 });
    this.#producer = independentClient(target).producer({ allowAutoTopicCreation: false });
  }

  /** The topics, and those of syncs and checkpoints, must exist in both. */
  static async start(options: TestMirrorOptions): Promise<TestMirror> {
    const mirror = new TestMirror(options);
    const consumer = mirror.#consumer;
    await Promise.all([consumer.connect(), mirror.#producer.connect()]);
    await consumer.subscribe({ topics: [...options.topics], fromBeginning: true });
    await consumer.run({ eachBatchAutoResolve: false, eachBatch: (batch) => mirror.#copy(batch) });
    return mirror;
  }

  async close(): Promise<void> {
    await Promise.all([this.#consumer.disconnect(), this.#producer.disconnect()]);
  }

  pause(): void {
    this.#consumer.pause(this.#options.topics.map((topic) => ({ topic })));
  }

  resume(): void {
    this.#consumer.resume(this.#options.topics.map((topic) => ({ topic })));
  }

  /** Waits until the record at this offset is copied. */
  async untilCopied(topic: string, offset: number, partition = 0): Promise<void> {
    await until(
      `${topic}-${partition}@${offset} is copied`,
      () => (this.#copied.get(`${topic}-${partition}`) ?? -1n) >= offset,
    );
  }

  /** Writes a checkpoint, as MirrorMaker does from time to time. */
  async checkpoint(
    group: string,
    place: { topic: string; partition: number },
    { upstream, downstream }: { upstream: number; downstream: number },
  ): Promise<void> {
    const value = Buffer.alloc(20);
    value.writeBigInt64BE(BigInt(upstream), 2);
    value.writeBigInt64BE(BigInt(downstream), 10);
    const key = Buffer.concat([text(group), placeKey(place.topic, place.partition)]);
    await this.#producer.send({ topic: checkpointsTopic(this.#options.source.name), messages: [{ key, value }] });
  }

  /** Writes a sync, as for a record of this offset. */
  async sync(
    place: { topic: string; partition: number },
    pair: { upstream: number; downstream: number },
  ): Promise<void> {
    const message = syncOf(place.topic, place.partition, BigInt(pair.upstream), BigInt(pair.downstream));
    await this.#producer.send({ topic: syncsTopic(this.#options.source.name), messages: [message] });
  }

  async #copy({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const { topic, partition } = batch;
    const first = this.#options.from?.[`${topic}-${partition}`] ?? 0;
    const messages = batch.messages.filter(({ offset }) => Number(offset) >= first);
    if (messages.length === 0) return resolveOffset(batch.lastOffset());
    const copies = messages.map((message) => copyOf(message, partition));
    const [stored] = await this.#producer.send({ topic, messages: copies });
    const base = BigInt(stored?.baseOffset ?? -1);
    const syncs = messages.flatMap((message, index): Message[] => {
      const isSynced = index === messages.length - 1 || index % SYNC_STEP === 0;
      return isSynced ? [syncOf(topic, partition, BigInt(message.offset), base + BigInt(index))] : [];
    });
    if (this.syncPolicy === 'last')
      await this.#producer.send({ topic: syncsTopic(this.#options.source.name), messages: syncs });
    const last = messages.at(-1);
    if (last === undefined) return;
    resolveOffset(last.offset);
    this.#copied.set(`${topic}-${partition}`, BigInt(last.offset));
    await heartbeat();
  }
}

export function syncsTopic(source: string): string {
  return `mm2-offset-syncs.${source}.internal`;
}

export function checkpointsTopic(source: string): string {
  return `${source}.checkpoints.internal`;
}

function copyOf({ key, value, timestamp, headers }: KafkaMessage, partition: number): Message {
  return { key, value, timestamp, partition, ...(headers === undefined ? {} : { headers }) };
}

function syncOf(topic: string, partition: number, upstream: bigint, downstream: bigint): Message {
  const value = Buffer.alloc(16);
  value.writeBigInt64BE(upstream, 0);
  value.writeBigInt64BE(downstream, 8);
  return { key: placeKey(topic, partition), value, partition: 0 };
}

function placeKey(topic: string, partition: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32BE(partition);
  return Buffer.concat([text(topic), number]);
}

/** Kafka's STRING. */
function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}

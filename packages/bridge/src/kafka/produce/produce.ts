/** Sends one produce request to one broker, and returns the outcome of each partition's batch. */
import { type Connection, type ConnectionPool, ProduceAcks, produceV9, Writer } from '@platformatic/kafka';
import type { RecordToProduce, TopicPartition } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { type ErrorId, errorIdOf, errorText } from '../client/kafka-errors.ts';
import { type Compression, compressBatch } from './batch-compression.ts';
import { murmur2 } from './murmur2.ts';
import { type PartitionAnswer, readProduceResponse, type TopicAnswer } from './produce-response.ts';
import { type BatchStamp, writeBatch } from './record-batch-writer.ts';

/** Records for one partition, in order. */
export interface PartitionBatch extends TopicPartition {
  records: readonly RecordToProduce[];
  /** Of an idempotent producer. */
  stamp?: BatchStamp | undefined;
}

/** The broker's response for a batch. */
export type BatchOutcome =
  | { kind: 'stored'; baseOffset: bigint }
  | {
      kind: 'refused';
      errorId: ErrorId;
      message: string;
      /** Texts for bad records, by their place in the batch; empty if the broker names none. */
      badRecords: ReadonlyMap<number, string>;
    };

/** The transaction that batches are part of. */
export interface BatchTransaction {
  transactionalId: string;
  /** Whether the broker adds their partitions to the transaction by itself (KIP-890, produce requests from version 12 on). */
  addsPartitions: boolean;
}

export interface ProduceOptions {
  acks: 'all' | 'leader';
  /** How long the broker may wait for its replicas. */
  timeoutMs: number;
  compression: Compression;
}

/** Sends batches over connections of its own. */
export class ProduceClient {
  readonly #cluster: Cluster;
  readonly #pool: ConnectionPool;
  readonly #options: ProduceOptions;

  constructor(cluster: Cluster, options: ProduceOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#pool = cluster.createPool();
  }

  /** Errors: when the broker cannot be reached or does not respond; the records may be stored nevertheless. */
  async send(
    nodeId: number,
    batches: readonly PartitionBatch[],
    transaction?: BatchTransaction,
  ): Promise<BatchOutcome[]> {
    const broker = this.#cluster.broker(nodeId);
    if (broker === undefined) return batches.map(() => refused('LEADER_NOT_AVAILABLE'));
    const written = await writeAll(batches, this.#options.compression);
    const connection = await this.#cluster.connect(this.#pool, broker);
    const startedAtMs = performance.now();
    try {
      return outcomesOf(batches, await produce(connection, written, { ...this.#options, transaction }));
    } finally {
      this.#cluster.traffic.produceDurations.observe(performance.now() - startedAtMs);
    }
  }

  async close(): Promise<void> {
    await this.#cluster.closePool(this.#pool);
  }
}

/** `Utils.toPositive` in Kafka. */
const POSITIVE_BITS = 0x7fff_ffff;

/**
 * The partition of a key, as Kafka's Java clients choose it.
 * Source: `Utils.toPositive(Utils.murmur2(key)) % partitionCount` in Kafka's `BuiltInPartitioner`.
 */
export function partitionForKey(key: Buffer, partitionCount: number): number {
  return (murmur2(key) & POSITIVE_BITS) % partitionCount;
}

interface WrittenBatch extends TopicPartition {
  bytes: Buffer;
}

function writeAll(
  batches: readonly PartitionBatch[],
  compression: Compression,
): readonly WrittenBatch[] | Promise<readonly WrittenBatch[]> {
  const nowMs = BigInt(Date.now());
  const written = batches.map(({ topic, partition, records, stamp }) => ({
    topic,
    partition,
    bytes: writeBatch(records, nowMs, stamp),
  }));
  if (compression === 'none') return written;
  return Promise.all(
    written.map(async (batch) => ({ ...batch, bytes: await compressBatch(batch.bytes, compression) })),
  );
}

/** The library's own request makes objects and several buffers of each record; this one makes one buffer for each batch. */
function produce(
  connection: Connection,
  batches: readonly WrittenBatch[],
  options: ProduceOptions & { transaction: BatchTransaction | undefined },
): Promise<TopicAnswer[]> {
  const { key, version: plainVersion } = produceV9.api;
  const version = options.transaction?.addsPartitions === true ? ADDS_PARTITIONS_VERSION : plainVersion;
  return new Promise((resolve, reject) => {
    const onAnswer = (error: Error | null, answer: unknown): void => {
      if (error === null) resolve(answer as TopicAnswer[]);
      else reject(error);
    };
    const write = (): Writer => writeRequest(batches, options);
    connection.send(key, version, write, readProduceResponse as never, true, true, onAnswer as never);
  });
}

/** In requests from this version on, the broker adds partitions to the transaction (KIP-890). */
const ADDS_PARTITIONS_VERSION = 12;

/** Produce request, versions 9 to 12: https://kafka.apache.org/protocol#The_Messages_Produce */
function writeRequest(
  batches: readonly WrittenBatch[],
  { acks, timeoutMs, transaction }: ProduceOptions & { transaction: BatchTransaction | undefined },
): Writer {
  const topics = [...Map.groupBy(batches, ({ topic }) => topic)];
  return Writer.create()
    .appendString(transaction?.transactionalId ?? null)
    .appendInt16(acks === 'all' ? ProduceAcks.ALL : ProduceAcks.LEADER)
    .appendInt32(timeoutMs)
    .appendArray(topics, (topicWriter, [topic, ofTopic]) => {
      topicWriter.appendString(topic).appendArray(ofTopic, (writer, { partition, bytes }) => {
        // A compact length is one more than the length.
        writer
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes);
      });
    })
    .appendTaggedFields();
}

function outcomesOf(batches: readonly PartitionBatch[], topics: readonly TopicAnswer[]): BatchOutcome[] {
  const byTopic = new Map(
    topics.map(({ name, partitions }) => [name, new Map(partitions.map((answer) => [answer.index, answer]))]),
  );
  return batches.map(({ topic, partition }) => {
    const answer = byTopic.get(topic)?.get(partition);
    return answer === undefined ? refused('UNKNOWN_SERVER_ERROR') : outcomeOf(answer);
  });
}

function outcomeOf(answer: PartitionAnswer): BatchOutcome {
  const errorId = errorIdOf(answer.errorCode);
  if (errorId === undefined) return { kind: 'stored', baseOffset: answer.baseOffset };
  const badRecords = new Map<number, string>();
  for (const { batchIndex, message } of answer.recordErrors) {
    badRecords.set(batchIndex, message ?? answer.errorMessage ?? errorText(errorId));
  }
  return { kind: 'refused', errorId, message: answer.errorMessage ?? errorText(errorId), badRecords };
}

function refused(errorId: ErrorId): BatchOutcome {
  return { kind: 'refused', errorId, message: errorText(errorId), badRecords: new Map() };
}

/** One produce request to one broker, and what became of each partition's batch in it. */
import {
  type ConnectionPool,
  compatibilityPartitioner,
  type MessageRecord,
  ProduceAcks,
  produceV9,
} from '@platformatic/kafka';
import type { RecordToProduce, TopicPartition } from '../records.ts';
import type { Cluster } from './cluster.ts';
import { type ErrorId, errorIdOf, errorText, responseIn } from './failure.ts';

type ProduceResponse = produceV9.ProduceResponse;

/** Records for one partition, in order. */
export interface PartitionBatch extends TopicPartition {
  records: readonly RecordToProduce[];
}

/** What the broker did with a batch. */
export type BatchOutcome =
  | { kind: 'stored'; baseOffset: bigint }
  | {
      kind: 'refused';
      errorId: ErrorId;
      message: string;
      /** The records that the broker found bad, by their place in the batch; none when it did not say. */
      badRecords: ReadonlyMap<number, string>;
    };

export interface ProduceOptions {
  acks: 'all' | 'leader';
  /** How long the broker may wait for its replicas. */
  timeoutMs: number;
}

/**
 * Times within a batch may differ by this much, 24.8 days: the library writes larger differences wrongly (a signed
 * 64-bit varint is shifted by 31 bits instead of 63), and so would change the times of other records in the batch.
 */
const MAX_BATCH_TIMESPAN_MS = 2n ** 31n - 1n;

/** Whether two records may be in one batch. */
export function canShareBatch(first: RecordToProduce, other: RecordToProduce): boolean {
  if (first.timestampMs === other.timestampMs) return true;
  const nowMs = BigInt(Date.now());
  const differenceMs = (first.timestampMs ?? nowMs) - (other.timestampMs ?? nowMs);
  return differenceMs <= MAX_BATCH_TIMESPAN_MS && -differenceMs <= MAX_BATCH_TIMESPAN_MS;
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

  /** Errors: when the broker cannot be reached or does not answer; the records may have been stored all the same. */
  async send(nodeId: number, batches: readonly PartitionBatch[]): Promise<BatchOutcome[]> {
    const broker = this.#cluster.broker(nodeId);
    if (broker === undefined) return batches.map(() => refused('LEADER_NOT_AVAILABLE'));
    const connection = await this.#pool.get(broker);
    const { acks, timeoutMs } = this.#options;
    const messages = batches.flatMap(messagesOf);
    let response: ProduceResponse | boolean;
    try {
      response = await produceV9.api.async(
        connection,
        acks === 'all' ? ProduceAcks.ALL : ProduceAcks.LEADER,
        timeoutMs,
        messages,
      );
    } catch (error) {
      // A partition that failed makes the whole answer an error, also for those that were stored.
      const partial = responseIn<ProduceResponse>(error);
      if (partial === undefined) throw error;
      response = partial;
    }
    return outcomesOf(batches, response);
  }

  async close(): Promise<void> {
    await this.#cluster.closePool(this.#pool);
  }
}

/**
 * The partition of a key, as Kafka's Java clients choose it. The library's default partitioner is another one.
 * Source: `Utils.toPositive(Utils.murmur2(key)) % partitionCount` in Kafka's `BuiltInPartitioner`.
 */
export function partitionForKey(key: Buffer, partitionCount: number): number {
  return compatibilityPartitioner(undefined as never, key) % partitionCount;
}

function messagesOf(batch: PartitionBatch): MessageRecord[] {
  const { topic, partition } = batch;
  return batch.records.map((record) => {
    const message = { topic, partition, key: record.key, value: record.value } as MessageRecord;
    if (record.timestampMs !== undefined) message.timestamp = record.timestampMs;
    // A Map of buffers keeps equal names apart, and their order.
    if (record.headers !== undefined) message.headers = new Map(record.headers) as Map<Buffer, Buffer>;
    return message;
  });
}

function outcomesOf(batches: readonly PartitionBatch[], response: ProduceResponse | boolean): BatchOutcome[] {
  const topics = typeof response === 'boolean' ? [] : response.responses;
  return batches.map(({ topic, partition }) => {
    const answer = topics
      .find((candidate) => candidate.name === topic)
      ?.partitionResponses.find((candidate) => candidate.index === partition);
    return answer === undefined ? refused('UNKNOWN_SERVER_ERROR') : outcomeOf(answer);
  });
}

function outcomeOf(answer: produceV9.ProduceResponsePartition): BatchOutcome {
  const errorId = errorIdOf(answer.errorCode);
  if (errorId === undefined) return { kind: 'stored', baseOffset: answer.baseOffset };
  const badRecords = new Map<number, string>();
  for (const { batchIndex, batchIndexErrorMessage } of answer.recordErrors) {
    badRecords.set(batchIndex, batchIndexErrorMessage ?? answer.errorMessage ?? errorText(errorId));
  }
  return { kind: 'refused', errorId, message: answer.errorMessage ?? errorText(errorId), badRecords };
}

function refused(errorId: ErrorId): BatchOutcome {
  return { kind: 'refused', errorId, message: errorText(errorId), badRecords: new Map() };
}

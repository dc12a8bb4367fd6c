/** The answers of all keys: where the log has them, and the answers themselves. */
import { performance } from 'node:perf_hooks';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { mayBeRetried, toBridgeError } from '../kafka/client/failure.ts';
import { errorIdOf } from '../kafka/client/kafka-errors.ts';
import { bounded, type Limits, retrying, within } from '../kafka/client/limits.ts';
import { storedRecords } from '../kafka/fetch/stored-records.ts';
import { TopicReader } from '../kafka/fetch/topic-reader.ts';
import type { StoredRecord } from '../records.ts';
import { decodeAnswer, type LoggedAnswer } from './answers.ts';
import { KeyIndex } from './key-index.ts';
import { type AnswerPlace, hashKey, type KeyHash, UNREAD_MS } from './key-shard.ts';
import { LogReader } from './log-reader.ts';
import { ANSWER_PARTITION_COUNT, ANSWER_TOPIC, ensureAnswerTopic } from './topics.ts';

const ALL_PARTITIONS = Array.from({ length: ANSWER_PARTITION_COUNT }, (_, partition) => partition);

export interface AnswerLogOptions {
  requestTimeoutMs: number;
  retentionMs: number;
  maxKeys: number;
  onTrouble: (reason: string | undefined) => void;
}

export class AnswerLog {
  readonly #cluster: Cluster;
  readonly #reader: LogReader;
  readonly #index: KeyIndex;
  #topicId: string | undefined;
  #fetcher: TopicReader | undefined;
  /** When the latest answer was read, on the monotonic clock. */
  #latestReadMs = performance.now();

  constructor(cluster: Cluster, { requestTimeoutMs, retentionMs, maxKeys, onTrouble }: AnswerLogOptions) {
    this.#cluster = cluster;
    this.#index = new KeyIndex({ maxKeys, retentionMs });
    this.#reader = new LogReader(cluster, {
      topic: ANSWER_TOPIC,
      partitionCount: ANSWER_PARTITION_COUNT,
      findTopic: async (end) => {
        const topic = await ensureAnswerTopic(cluster, { retentionMs, limits: within(requestTimeoutMs, end) });
        if (this.#topicId !== topic.id) await this.#useTopic(topic.id);
        return topic;
      },
      onRecord: (record) => this.#apply(record),
      onTrouble,
    });
  }

  start(): void {
    this.#reader.start();
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#fetcher?.close();
  }

  get trouble(): string | undefined {
    return this.#reader.trouble;
  }

  get keyCount(): number {
    return this.#index.size;
  }

  get expiredCount(): number {
    return this.#index.expiredCount;
  }

  get isLoaded(): boolean {
    return this.#reader.isLoaded;
  }

  async untilLoaded(limits: Limits): Promise<void> {
    await this.#reader.untilLoaded(limits);
  }

  /** Reads all answers that are committed, or being committed, at this moment. Errors: as `LogReader.readToEnd`. */
  async readToEnd(limits: Limits): Promise<void> {
    await this.#reader.readToEnd(ALL_PARTITIONS, limits);
  }

  /** `undefined` for a key that is unknown, or has expired. */
  placeOf(key: KeyHash): AnswerPlace | undefined {
    const nowMs = this.#nowMs;
    this.#index.expire(nowMs, EXPIRED_AT_ONCE);
    return this.#index.get(key, nowMs);
  }

  /** An answer that was just committed. */
  add(key: KeyHash, place: AnswerPlace): void {
    this.#index.add(key, place, UNREAD_MS);
  }

  /** Whether `count` more keys can be kept as long as promised, and all that were given an answer are known. */
  hasRoomFor(count: number): boolean {
    const nowMs = this.#nowMs;
    if (!this.#index.hasRoomFor(count)) this.#index.expire(nowMs, MOST_EXPIRED_AT_ONCE);
    return this.#index.hasRoomFor(count) && !this.#index.isForgetful(nowMs);
  }

  /** Reads an answer. Errors: `kafkaUnavailable`; `kafkaRefused` for one that cannot be read. */
  async read({ partition, offset }: AnswerPlace, limits: Limits): Promise<LoggedAnswer> {
    try {
      const value = await retrying(
        async (attempt) => await this.#fetch(partition, BigInt(offset), { limits, isFresh: attempt > 0 }),
        limits,
        mayBeRetried,
        this.#cluster.backoff,
      );
      if (value !== null) return await decodeAnswer(value);
    } catch (error) {
      if (error instanceof SyntaxError) throw unreadable();
      throw toBridgeError(error);
    }
    throw unreadable();
  }

  /** `isFresh`: the leader may have moved. */
  async #fetch(
    partition: number,
    position: bigint,
    { limits, isFresh }: { limits: Limits; isFresh: boolean },
  ): Promise<Buffer | null> {
    const topics = await this.#cluster.topics([ANSWER_TOPIC], limits, isFresh ? { maxAgeMs: 0 } : {});
    const answer = topics.get(ANSWER_TOPIC);
    const leader = answer !== undefined && 'topic' in answer ? answer.topic.partitions[partition]?.leader : undefined;
    if (leader === undefined || leader < 0 || this.#fetcher === undefined) throw new BridgeError('kafkaUnavailable');
    const reader = await this.#fetcher.connect(leader, limits);
    const { partitions } = await bounded(reader.fetch([{ number: partition, position }], 0), limits);
    const [fetched] = partitions;
    // An operator has deleted it before its time.
    if (fetched !== undefined && errorIdOf(fetched.errorCode) === 'OFFSET_OUT_OF_RANGE') return null;
    if (fetched === undefined || fetched.errorCode !== 0) throw new BridgeError('kafkaUnavailable');
    const { batches, abortedTransactions } = fetched;
    const place = { topic: ANSWER_TOPIC, partition, position, batches, abortedTransactions, isChecking: true };
    if (batches.length === 0) throw new BridgeError('kafkaUnavailable');
    const record = storedRecords(place).records.find((one) => one.offset === position);
    return record?.value ?? null;
  }

  /** The log's clock: the time of the last answer, and what has passed since it was read, which is at most what has passed there. */
  get #nowMs(): number {
    return this.#index.latestMs + (performance.now() - this.#latestReadMs);
  }

  #apply({ partition, offset, timestampMs, key, value }: StoredRecord): void {
    if (key === null || value === null) return;
    const timeMs = Number(timestampMs);
    if (timeMs > this.#index.latestMs) this.#latestReadMs = performance.now();
    this.#index.add(hashKey(key), { partition, offset: Number(offset) }, timeMs);
  }

  async #useTopic(id: string): Promise<void> {
    await this.#fetcher?.close();
    this.#topicId = id;
    this.#index.clear();
    // The index has places of committed answers only; a broker shows a commit to readers of committed records a moment later.
    this.#fetcher = new TopicReader(this.#cluster, id, { isolationLevel: 'read_uncommitted', maxBytes: FETCH_BYTES });
  }
}

/** With each look at the index; and when it is full. */
const EXPIRED_AT_ONCE = 100;
const MOST_EXPIRED_AT_ONCE = 10_000;

/** One batch at least comes whole, however large. */
const FETCH_BYTES = 1;

function unreadable(): BridgeError {
  return new BridgeError('kafkaRefused', { message: 'The answer to this Idempotency-Key can no longer be read' });
}

/** Reads a topic that is kept in memory: all partitions, from their beginning, and everything that is appended until it is closed. */
import { setTimeout as delay } from 'node:timers/promises';
import { elapsedMs, type Instant, NEVER, readClocks } from '../../clock.ts';
import { BridgeError } from '../../errors.ts';
import type { StoredRecord } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { toBridgeError } from '../client/failure.ts';
import { errorIdOf, errorText } from '../client/kafka-errors.ts';
import { backoffMs, bounded, within } from '../client/limits.ts';
import { type IsolationLevel, listOffsets } from '../client/list-offsets.ts';
import type { TopicInfo } from '../client/metadata.ts';
import type { FetchedPartition } from './fetch.ts';
import { storedRecords } from './stored-records.ts';
import { TopicReader } from './topic-reader.ts';

export interface TailEvents {
  /** The partition is read from its beginning: the records that follow replace all earlier ones. */
  onRestart: (partition: number) => void;
  /** The partition was recreated or lost records: it is read from its beginning, and may lack what was read before. */
  onRecreated: (partition: number) => void;
  onRecord: (record: StoredRecord) => void;
  /** Everything was read that the partition had at this moment, when Kafka was asked. */
  onEndReached?: (partition: number, askedAt: Instant) => void;
  /** Kafka responded. `end`: the offset after the last record that a replica may lose no more, committed or not. */
  onFetched?: (partition: number, end: bigint) => void;
  /** Why it cannot read now; `undefined` when it can. `isRefused`: the topic cannot be used as it is, and waiting does not help. */
  onTrouble: (reason: string | undefined, options: { isRefused: boolean }) => void;
}

export interface TailOptions {
  topic: string;
  /** Makes sure that the topic exists, and resolves with its leaders; it rejects when `end` is aborted. */
  findTopic: (end: AbortSignal) => Promise<TopicInfo>;
  /** Default: `read_uncommitted`. */
  isolationLevel?: IsolationLevel;
  /** A tail that was away for longer may have missed tombstones, and reads from the beginning. Default: never. */
  longestAbsenceMs?: number;
  /** The most bytes of one response, which are read in one turn of the event loop. Default: 8 MiB. */
  maxBytes?: number;
}

interface TailedPartition {
  number: number;
  position: bigint;
  reachedEndAt: Instant;
}

/**
 * How long a broker may hold a fetch while there is nothing new; new records come at once. Not longer, so that a frozen broker
 * is noticed.
 */
const WAIT_MS = 500;
/** On top of the wait, until a broker counts as unreachable. */
const ANSWER_TIMEOUT_MS = 2000;

export class TopicTail {
  readonly #cluster: Cluster;
  readonly #options: TailOptions;
  readonly #events: TailEvents;
  readonly #life = new AbortController();
  #partitions: TailedPartition[] = [];
  #topicId: string | undefined;
  #running: Promise<void> | undefined;

  constructor(cluster: Cluster, options: TailOptions, events: TailEvents) {
    this.#cluster = cluster;
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#life.abort();
    await this.#running;
  }

  /** How far a partition was read: the offset after the last record. */
  position(partition: number): bigint {
    return this.#partitions[partition]?.position ?? -1n;
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#life.signal.aborted; attempt += 1) {
      let reader: TopicReader | undefined;
      const startedAtMs = performance.now();
      try {
        const topic = await this.#options.findTopic(this.#life.signal);
        this.#begin(topic);
        reader = new TopicReader(this.#cluster, topic.id, this.#options);
        await this.#tailAll(topic, reader);
      } catch (error) {
        const isRefused = error instanceof BridgeError && error.code === 'kafkaRefused';
        if (!this.#life.signal.aborted) this.#events.onTrouble(toBridgeError(error).message, { isRefused });
      } finally {
        await reader?.close();
      }
      if (performance.now() - startedAtMs > ANSWER_TIMEOUT_MS) attempt = 0;
      await delay(backoffMs(attempt, this.#cluster.backoff), undefined, { signal: this.#life.signal }).catch(() => {});
    }
  }

  /** Continues where it stopped; from the beginning for a topic with another id. */
  #begin({ id, partitions }: TopicInfo): void {
    if (this.#topicId === id) return;
    const isFirst = this.#topicId === undefined;
    this.#topicId = id;
    this.#partitions = partitions.map(({ partition }) => ({ number: partition, position: 0n, reachedEndAt: NEVER }));
    for (const partition of this.#partitions) {
      if (isFirst) this.#restart(partition);
      else this.#recreate(partition);
    }
  }

  #recreate(partition: TailedPartition): void {
    partition.position = 0n;
    partition.reachedEndAt = readClocks();
    this.#events.onRecreated(partition.number);
  }

  #restart(partition: TailedPartition): void {
    partition.position = 0n;
    partition.reachedEndAt = readClocks();
    this.#events.onRestart(partition.number);
  }

  /** Partitions that no longer have their positions continue at their first records, which retention moves. */
  async #reenter(partitions: readonly TailedPartition[], signal: AbortSignal): Promise<void> {
    const { topic } = this.#options;
    const wanted = partitions.map(({ number }) => ({ topic, partition: number }));
    const limits = within(ANSWER_TIMEOUT_MS, signal);
    const firsts = await listOffsets(this.#cluster, wanted, {
      spec: 'earliest',
      isolationLevel: 'read_uncommitted',
      limits,
    });
    for (const partition of partitions) {
      // Before the first record was read, nothing is lost.
      if (partition.position > 0n) this.#recreate(partition);
      partition.position = firsts.find((first) => first.partition === partition.number)?.offset ?? 0n;
    }
  }

  /** One loop for each leader, until one of them fails. */
  async #tailAll(topic: TopicInfo, reader: TopicReader): Promise<void> {
    const byLeader = Map.groupBy(this.#partitions, ({ number }) => topic.partitions[number]?.leader ?? -1);
    if (byLeader.has(-1)) throw new BridgeError('kafkaUnavailable', { message: `Topic ${topic.name} has no leader` });
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#life.signal]);
    const silent = new Set(byLeader.keys());
    const onAnswer = (leader: number): void => {
      if (silent.delete(leader) && silent.size === 0) this.#events.onTrouble(undefined, { isRefused: false });
    };
    try {
      await Promise.all(
        [...byLeader].map(([leader, led]) => this.#tailLeader(leader, led, { reader, signal, onAnswer })),
      );
    } finally {
      stop.abort();
    }
  }

  async #tailLeader(
    leader: number,
    partitions: readonly TailedPartition[],
    { reader, signal, onAnswer }: { reader: TopicReader; signal: AbortSignal; onAnswer: (leader: number) => void },
  ): Promise<void> {
    const leaderReader = await reader.connect(leader, within(ANSWER_TIMEOUT_MS, signal));
    const { longestAbsenceMs = Number.POSITIVE_INFINITY } = this.#options;
    // The first fetch does not wait for records: the start of the bridge waits for its answer.
    for (let waitMs = 0; !signal.aborted; waitMs = WAIT_MS) {
      for (const partition of partitions) {
        if (elapsedMs(partition.reachedEndAt, readClocks()) > longestAbsenceMs) this.#restart(partition);
      }
      const askedAt = readClocks();
      const fetching = leaderReader.fetch(partitions, waitMs);
      const answer = await bounded(fetching, within(waitMs + ANSWER_TIMEOUT_MS, signal));
      if (answer.errorCode !== 0) throw refusal(this.#options.topic, answer.errorCode);
      const outside: TailedPartition[] = [];
      for (const fetched of answer.partitions) {
        const partition = partitions.find(({ number }) => number === fetched.partition);
        if (partition === undefined) continue;
        if (errorIdOf(fetched.errorCode) === 'OFFSET_OUT_OF_RANGE') outside.push(partition);
        else this.#accept(partition, fetched, askedAt);
      }
      if (outside.length > 0) await this.#reenter(outside, signal);
      onAnswer(leader);
    }
  }

  #accept(partition: TailedPartition, fetched: FetchedPartition, askedAt: Instant): void {
    if (fetched.errorCode !== 0) throw refusal(this.#options.topic, fetched.errorCode);
    const { records, end } = storedRecords({
      topic: this.#options.topic,
      partition: partition.number,
      position: partition.position,
      batches: fetched.batches,
      abortedTransactions: fetched.abortedTransactions,
      isChecking: true,
    });
    for (const record of records) this.#events.onRecord(record);
    partition.position = end;
    this.#events.onFetched?.(partition.number, fetched.highWatermark);
    if (end < fetched.highWatermark) return;
    partition.reachedEndAt = askedAt;
    this.#events.onEndReached?.(partition.number, askedAt);
  }
}

function refusal(topic: string, errorCode: number): BridgeError {
  const text = errorText(errorIdOf(errorCode) ?? 'UNKNOWN_SERVER_ERROR');
  return new BridgeError('kafkaUnavailable', { message: `Topic ${topic} cannot be read: ${text}` });
}

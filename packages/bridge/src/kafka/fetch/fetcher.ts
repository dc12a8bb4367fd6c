/** Fetches the records of one consumer: for each poll, and ahead of a consumer that is polled. */
import type { Connection, ConnectionPool } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';
import type { TopicPartition } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { isUnauthenticated } from '../client/failure.ts';
import { backoffMs, type Limits, remainingMs, within } from '../client/limits.ts';
import { type IsolationLevel, isolationByte, type OffsetSpec } from '../client/list-offsets.ts';
import { acceptFetched } from './accept-fetched.ts';
import { type FetchAnswer, type FetchedPartition, fetchFrom } from './fetch.ts';
import type { FetchBudget } from './fetch-budget.ts';
import { InterruptibleWait } from './interruptible-wait.ts';
import { isBehind, nextOffset, type Partition } from './partition.ts';
import { Partitions } from './partitions.ts';
import { ReadReplicas } from './read-replicas.ts';
import { EMPTY_BUFFER, remainingBytes } from './record-buffer.ts';

export interface FetcherOptions {
  /** How brokers name this consumer in their logs. */
  clientId: string;
  isolationLevel: IsolationLevel;
  minBytes: number;
  /** The most bytes of one fetch from one broker. */
  maxBytes: number;
  /** The most bytes of one partition in it. Default: `maxBytes`. */
  partitionMaxBytes?: number;
  /** The bridge's rack: fetches go to replicas there, if leaders know any. */
  rack?: string | undefined;
  /** How long a broker may hold a fetch. */
  maxWaitMs: number;
  /** Whether checksums of record batches are compared. */
  isChecking: boolean;
  /** Time limit of a request, in addition to the wait. */
  requestTimeoutMs: number;
  /** Shared with other consumers. */
  budget: FetchBudget;
}

/** What happens at a position that the log no longer or not yet has. */
export type OutOfRangePolicy = 'reset' | 'fail';

interface FetchSize {
  waitMs: number;
  maxBytes: number;
}

/** How often a consumer that waits looks its leaders up: about as long as Kafka takes to replace a broker. */
const SOURCE_CHECK_MS = 10_000;
/** A polled consumer fetches ahead when less than this part of a fetch is left. */
const FETCH_AHEAD_RATIO = 0.5;
/** Fetches without a fetch session (KIP-227): concurrent requests would invalidate each other's. */
const NO_SESSION = { id: 0, epoch: -1 } as const;
const ANY_LEADER_EPOCH = -1;

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  readonly #outOfRangePolicy: OutOfRangePolicy;
  readonly #replicas: ReadReplicas;
  readonly partitions: Partitions;
  /** Its own connections: a fetch that waits delays the requests after it. */
  #pool: ConnectionPool | undefined;
  /** No poll came since records were dropped, or since connections were closed: both are requested repeatedly. */
  #isDropped = false;
  #isAtRest = false;
  /** At most one request to a broker at a time, by node id; it may outlive the poll that sent it. */
  readonly #inFlight = new Map<number, Promise<void>>();
  /** Responses to requests of an earlier epoch are ignored. */
  #epoch = 0;
  #failure: BridgeError | undefined;
  #failedAttempts = 0;
  #checkedAtMs = performance.now();
  /** The bytes that the budget counts. */
  #heldBytes = 0;
  readonly #wait = new InterruptibleWait();

  constructor(cluster: Cluster, outOfRangePolicy: OutOfRangePolicy, options: FetcherOptions) {
    this.#cluster = cluster;
    this.partitions = new Partitions(this.#isRecreated);
    this.#outOfRangePolicy = outOfRangePolicy;
    this.#options = options;
    this.#replicas = new ReadReplicas({ rack: options.rack, maxAgeMs: cluster.options.metadataMaxAgeMs });
  }

  /** Replaces the partitions; those that stay keep their positions and fetched records. */
  assign(partitions: readonly TopicPartition[]): void {
    if (this.partitions.assign(partitions)) this.#abandonRequests();
    this.interrupt();
  }

  /** Moves a position, and drops fetched records. Returns whether the partition is assigned. */
  seek(partition: TopicPartition, to: bigint | OffsetSpec): boolean {
    if (!this.partitions.seek(partition, to)) return false;
    this.#failure = undefined;
    this.#abandonRequests();
    return true;
  }

  /**
   * Waits until there are records, the limits are reached, or {@link interrupt} is called.
   * Errors: final errors of Kafka; the signal's reason.
   */
  async fill(limits: Limits): Promise<void> {
    this.#isDropped = false;
    this.#isAtRest = false;
    // The client may have other credentials now.
    if (isUnauthenticated(this.#failure)) this.#failure = undefined;
    this.#fetchAhead();
    while (!this.partitions.hasRecords) {
      limits.signal?.throwIfAborted();
      const isMovedAway = this.#leaveRecreated();
      const failure = this.#failure;
      if (failure !== undefined) {
        this.#failure = undefined;
        throw failure;
      }
      if (isMovedAway) return;
      const { maxWaitMs, budget } = this.#options;
      const maxBytes = budget.fetchBytes(this.#options.maxBytes);
      const waitMs = Math.min(maxWaitMs, Math.ceil(remainingMs(limits)));
      const requests = this.#startRequests(this.partitions.all, { waitMs, maxBytes });
      if (remainingMs(limits) === 0) return;
      void this.#checkSources();
      const untilCheckMs = Math.min(SOURCE_CHECK_MS, remainingMs(limits));
      if (await this.#wait.forAny(requests, within(untilCheckMs, limits.signal))) return;
    }
  }

  /** Frees fetched records; positions stay. */
  dropRecords(): void {
    if (this.#isDropped && this.#heldBytes === 0) return;
    this.#isDropped = true;
    this.partitions.dropRecords();
    this.#countHeld();
  }

  /** Frees its connections, too; the next {@link fill} makes new ones. */
  rest(): void {
    if (this.#isAtRest) return;
    this.#isAtRest = true;
    this.dropRecords();
    this.#abandonRequests();
    void this.#closePool();
  }

  /** Ends a running {@link fill} at once. */
  interrupt(): void {
    this.#wait.interrupt();
  }

  async close(): Promise<void> {
    this.#epoch += 1;
    this.partitions.assign([]);
    this.#countHeld();
    this.interrupt();
    await this.#closePool();
  }

  /** A broker that froze cannot report that it no longer leads: the others are asked from time to time. Never rejects. */
  async #checkSources(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#checkedAtMs < SOURCE_CHECK_MS) return;
    this.#checkedAtMs = nowMs;
    const asked = [...this.#inFlight];
    const topics = [...new Set(this.partitions.all.map(({ topic }) => topic))];
    try {
      await this.#cluster.topics(topics, within(this.#options.requestTimeoutMs), { maxAgeMs: SOURCE_CHECK_MS });
    } catch {
      return;
    }
    const sources = new Set(this.partitions.all.map((found) => this.#sourceOf(found)));
    const isMoved = asked.some(([nodeId, request]) => !sources.has(nodeId) && this.#inFlight.get(nodeId) === request);
    if (isMoved || this.partitions.all.some(this.#isRecreated)) this.#abandonRequests();
  }

  #sourceOf(found: Partition): number {
    return this.#replicas.sourceOf(found, this.#cluster.knownTopic(found.topic)?.partitions[found.partition]);
  }

  /** Updates the budget, and returns how many bytes were fetched and not taken. */
  #countHeld(): number {
    let bytes = 0;
    for (const { buffer } of this.partitions.all) bytes += Math.ceil(remainingBytes(buffer));
    this.#options.budget.add(bytes - this.#heldBytes);
    this.#heldBytes = bytes;
    return bytes;
  }

  /**
   * Fetches the next records while the client works on those that it has: only in a poll that has records, only where the log is
   * known to have more, and no more than there is room for.
   */
  #fetchAhead(): void {
    const partitions = this.partitions.all;
    const leftBytes = this.#countHeld();
    const { maxBytes, budget } = this.#options;
    if (leftBytes === 0 || leftBytes > maxBytes * FETCH_AHEAD_RATIO || budget.isSpent) return;
    const behind = partitions.filter(isBehind);
    this.#startRequests(behind, { waitMs: 0, maxBytes: Math.ceil(maxBytes - leftBytes) });
  }

  /** All requests in flight, with new ones to brokers that have none. */
  #startRequests(partitions: readonly Partition[], size: FetchSize): Promise<void>[] {
    const { budget } = this.#options;
    const fetchable = partitions.filter((found) => found.position !== undefined && !this.#isRecreated(found));
    for (const found of fetchable) found.topicId ??= this.#cluster.knownTopic(found.topic)?.id;
    const bySource = Map.groupBy(fetchable, (found) => this.#sourceOf(found));
    for (const [source, read] of bySource) {
      if (this.#inFlight.has(source)) continue;
      const { waitMs, expectedBytes } = this.#expect(read, size);
      budget.add(expectedBytes);
      const request = this.#request(source, read, { ...size, waitMs }).finally(() => {
        budget.add(-expectedBytes);
        if (this.#inFlight.get(source) === request) this.#inFlight.delete(source);
      });
      this.#inFlight.set(source, request);
    }
    return [...this.#inFlight.values()];
  }

  /**
   * What a fetch may bring counts in the budget until it is there: else many consumers that are behind would fetch at once. Where the log ends
   * is unknown before the first fetch, which therefore does not wait there.
   */
  #expect(partitions: readonly Partition[], size: FetchSize): { waitMs: number; expectedBytes: number } {
    const isUnknown = partitions.some(({ logEnd }) => logEnd === undefined);
    const waitMs = isUnknown && this.#options.minBytes <= 1 ? 0 : size.waitMs;
    return { waitMs, expectedBytes: isUnknown || partitions.some(isBehind) ? size.maxBytes : 0 };
  }

  /** One fetch of one broker; never rejects. */
  async #request(nodeId: number, partitions: readonly Partition[], size: FetchSize): Promise<void> {
    const epoch = this.#epoch;
    const offsets = new Map(partitions.map((partition) => [partition, nextOffset(partition) ?? 0n]));
    let isFailed = true;
    try {
      const broker = this.#cluster.broker(nodeId);
      if (broker !== undefined) {
        const answer = await this.#fetch(await this.#cluster.connect(this.#connections, broker), offsets, size);
        if (epoch !== this.#epoch) return;
        isFailed = this.#accept(answer, offsets);
        this.#countHeld();
      }
    } catch (error) {
      // Otherwise the broker is gone: the refresh below finds the new leader.
      if (isUnauthenticated(error) && epoch === this.#epoch) this.#failure = error;
    }
    if (epoch !== this.#epoch) return;
    this.#failedAttempts = isFailed ? this.#failedAttempts + 1 : 0;
    if (!isFailed) return;
    for (const partition of partitions) this.#replicas.giveUp(partition, nodeId);
    await this.#refresh(partitions);
  }

  #fetch(connection: Connection, offsets: ReadonlyMap<Partition, bigint>, size: FetchSize): Promise<FetchAnswer> {
    const { isolationLevel, minBytes, partitionMaxBytes = size.maxBytes } = this.#options;
    const { waitMs, maxBytes } = size;
    const topics = [...Map.groupBy(offsets, ([{ topic }]) => topic)].map(([topic, entries]) => ({
      topicId: this.#cluster.knownTopic(topic)?.id ?? '',
      partitions: entries.map(([{ partition }, fetchOffset]) => ({
        partition,
        currentLeaderEpoch: ANY_LEADER_EPOCH,
        fetchOffset,
        lastFetchedEpoch: ANY_LEADER_EPOCH,
        partitionMaxBytes: Math.min(partitionMaxBytes, maxBytes),
      })),
    }));
    const isolation = isolationByte(isolationLevel);
    const { id, epoch } = NO_SESSION;
    return fetchFrom(connection, [waitMs, minBytes, maxBytes, isolation, id, epoch, topics, [], this.#replicas.rack]);
  }

  /** Whether the metadata must be looked up. */
  #accept(answer: FetchAnswer, offsets: ReadonlyMap<Partition, bigint>): boolean {
    let isStale = answer.errorCode !== 0;
    this.#cluster.traffic.countCode(answer.errorCode);
    const byId = new Map<string, Map<number, Partition>>();
    for (const found of offsets.keys()) {
      const id = this.#cluster.knownTopic(found.topic)?.id ?? '';
      const ofTopic = byId.get(id);
      if (ofTopic === undefined) byId.set(id, new Map([[found.partition, found]]));
      else ofTopic.set(found.partition, found);
    }
    for (const fetched of answer.partitions) {
      const found = byId.get(fetched.topicId)?.get(fetched.partition);
      // Not if the partition was revoked, or its position changed meanwhile.
      if (found === undefined || nextOffset(found) !== offsets.get(found)) continue;
      if (!this.#acceptPartition(found, fetched)) isStale = true;
    }
    return isStale;
  }

  /** Whether the metadata can be trusted. */
  #acceptPartition(found: Partition, fetched: FetchedPartition): boolean {
    this.#cluster.traffic.countCode(fetched.errorCode);
    const { isolationLevel, isChecking } = this.#options;
    const acceptance = acceptFetched(found, fetched, { isolationLevel, isChecking, replicas: this.#replicas });
    if (acceptance.kind === 'failed') this.#failure = acceptance.error;
    if (acceptance.kind === 'outOfRange') this.#onOutOfRange(found);
    return acceptance.kind !== 'stale';
  }

  /** Whether the topic was recreated since the position was found (KIP-516). */
  readonly #isRecreated = ({ topic, topicId }: Partition): boolean => {
    const known = this.#cluster.knownTopic(topic)?.id;
    return topicId !== undefined && known !== undefined && known !== topicId;
  };

  /** Whether a position was given up: every record of a recreated topic is new to the consumer. */
  #leaveRecreated(): boolean {
    let isMovedAway = false;
    for (const found of this.partitions.all) {
      if (!this.#isRecreated(found)) continue;
      if (this.#outOfRangePolicy === 'fail') {
        this.#onOutOfRange(found);
        continue;
      }
      const unread = { topicId: undefined, position: undefined, committed: undefined, resetTo: 'earliest' } as const;
      Object.assign(found, { ...unread, buffer: EMPTY_BUFFER });
      isMovedAway = true;
    }
    return isMovedAway;
  }

  #onOutOfRange(found: Partition): void {
    const { topic, partition, position } = found;
    if (this.#outOfRangePolicy === 'fail') {
      this.#failure = new BridgeError('kafkaRefused', {
        message: `org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch position ${position} is out of range for partition ${topic}-${partition}`,
      });
      return;
    }
    found.position = undefined;
    found.resetTo = 'policy';
    // The poll finds the position first.
    this.interrupt();
  }

  /** After a failure: looks the leaders up. */
  async #refresh(partitions: readonly Partition[]): Promise<void> {
    const pauseMs = backoffMs(this.#failedAttempts, this.#cluster.backoff);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    try {
      await this.#cluster.topics(topics, within(this.#options.requestTimeoutMs), { maxAgeMs: 0 });
    } catch {
      // The next request finds out.
    }
  }

  /** Requests in flight occupy their connections until their wait is over: new ones use new connections. */
  #abandonRequests(): void {
    this.#epoch += 1;
    if (this.#inFlight.size === 0) return;
    this.#inFlight.clear();
    void this.#closePool();
  }

  get #connections(): ConnectionPool {
    const { clientId, maxWaitMs, requestTimeoutMs } = this.#options;
    this.#pool ??= this.#cluster.createPool({ clientId, requestTimeoutMs: maxWaitMs + requestTimeoutMs });
    return this.#pool;
  }

  async #closePool(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool !== undefined) await this.#cluster.closePool(pool);
  }
}

/** The partitions of one consumer: their positions, and the records that were fetched and not yet taken. */
import { type ConnectionPool, fetchV13 } from '@platformatic/kafka';
import { BridgeError } from '../errors.ts';
import { type PartitionOffset, partitionKey, type StoredRecord, type TopicPartition } from '../records.ts';
import type { Cluster } from './cluster.ts';
import { errorIdOf, javaException, responseIn } from './failure.ts';
import { backoffMs, type Limits, remainingMs } from './limits.ts';
import { type IsolationLevel, isolationByte } from './list-offsets.ts';
import { storedRecords } from './stored-records.ts';

export interface FetcherOptions {
  /** How brokers name this consumer in their logs. */
  clientId: string;
  isolationLevel: IsolationLevel;
  minBytes: number;
  /** Of one fetch of one broker. */
  maxBytes: number;
  /** How long a broker may hold a fetch. */
  maxWaitMs: number;
  /** On top of the wait, until the broker counts as gone. */
  requestTimeoutMs: number;
}

/** A position that the log no longer or not yet has. */
export type OutOfRangePolicy = 'reset' | 'fail';

interface Partition extends TopicPartition {
  /** The next offset to deliver; `undefined` until it is found. */
  position: bigint | undefined;
  /** What the group has committed, as far as this consumer knows. */
  committed: bigint | undefined;
  /** Whether the position is to be found by the reset policy, whatever is committed. */
  isOutOfRange: boolean;
  buffer: readonly StoredRecord[];
  /** How many of the buffer were taken. */
  takenCount: number;
  /** The offset after everything in the buffer. */
  bufferEnd: bigint;
}

/** What {@link Fetcher.advance} changed, so that it can be taken back. */
export type Checkpoint = ReadonlyMap<Partition, Partition>;

/** Fetches without a fetch session (KIP-227): concurrent requests would get in each other's way. */
const NO_SESSION = { id: 0, epoch: -1 } as const;
const ANY_LEADER_EPOCH = -1;

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  readonly #outOfRangePolicy: OutOfRangePolicy;
  #partitions = new Map<string, Partition>();
  /** Its own connections: a fetch that waits holds up everything behind it. */
  #pool: ConnectionPool;
  /** At most one request to a broker at a time, by node id; it may outlive the poll that sent it. */
  readonly #inFlight = new Map<number, Promise<void>>();
  /** Requests of an earlier epoch are of no use any more. */
  #epoch = 0;
  #failure: BridgeError | undefined;
  #failedAttempts = 0;
  #rotation = 0;
  #wake: (() => void) | undefined;

  constructor(cluster: Cluster, outOfRangePolicy: OutOfRangePolicy, options: FetcherOptions) {
    this.#cluster = cluster;
    this.#outOfRangePolicy = outOfRangePolicy;
    this.#options = options;
    this.#pool = this.#createPool();
  }

  /** Replaces the partitions; those that stay keep their positions and what was fetched. */
  assign(partitions: readonly TopicPartition[]): void {
    const previous = this.#partitions;
    this.#partitions = new Map(
      partitions.map(({ topic, partition }) => {
        const key = partitionKey(topic, partition);
        return [key, previous.get(key) ?? newPartition(topic, partition)];
      }),
    );
    const isSame =
      previous.size === this.#partitions.size && [...previous.keys()].every((key) => this.#partitions.has(key));
    if (!isSame) this.#abandonRequests();
    this.interrupt();
  }

  get assigned(): TopicPartition[] {
    return [...this.#partitions.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Partitions without a position; `isOutOfRange` where what is committed does not count. */
  get unpositioned(): (TopicPartition & { isOutOfRange: boolean })[] {
    return [...this.#partitions.values()]
      .filter(({ position }) => position === undefined)
      .map(({ topic, partition, isOutOfRange }) => ({ topic, partition, isOutOfRange }));
  }

  /** Every position that is known. */
  get positions(): PartitionOffset[] {
    return [...this.#partitions.values()].flatMap(({ topic, partition, position }) =>
      position === undefined ? [] : [{ topic, partition, offset: position }],
    );
  }

  /** Positions that differ from what is committed. */
  get uncommitted(): PartitionOffset[] {
    return [...this.#partitions.values()].flatMap(({ topic, partition, position, committed }) =>
      position === undefined || position === committed ? [] : [{ topic, partition, offset: position }],
    );
  }

  /** Sets positions of partitions that have none. */
  setPositions(offsets: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const found = this.#partitions.get(partitionKey(topic, partition));
      if (found === undefined || found.position !== undefined) continue;
      found.position = offset;
      found.isOutOfRange = false;
    }
  }

  setCommitted(offsets: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const found = this.#partitions.get(partitionKey(topic, partition));
      if (found !== undefined) found.committed = offset;
    }
  }

  /** The next records, at most `maxCount`; positions stay where they are. */
  peek(maxCount: number): StoredRecord[] {
    const partitions = [...this.#partitions.values()];
    const records: StoredRecord[] = [];
    for (let index = 0; index < partitions.length && records.length < maxCount; index += 1) {
      const found = partitions[(index + this.#rotation) % partitions.length];
      if (found === undefined) continue;
      const { buffer, takenCount } = found;
      const end = Math.min(buffer.length, takenCount + maxCount - records.length);
      for (let taken = takenCount; taken < end; taken += 1) records.push(buffer[taken] as StoredRecord);
    }
    return records;
  }

  /** Moves the positions behind records that {@link peek} gave, in its order. */
  advance(records: readonly StoredRecord[]): Checkpoint {
    const before = new Map<Partition, Partition>();
    for (const { topic, partition, offset } of records) {
      const found = this.#partitions.get(partitionKey(topic, partition));
      // Not when the partition went away and came back meanwhile.
      if (found === undefined || found.buffer[found.takenCount]?.offset !== offset) continue;
      if (!before.has(found)) before.set(found, { ...found });
      found.takenCount += 1;
      found.position = found.buffer[found.takenCount]?.offset ?? found.bufferEnd;
    }
    this.#rotation += 1;
    return before;
  }

  /** Puts positions back to where they were, for partitions that are still here. */
  rewind(checkpoint: Checkpoint): void {
    for (const [found, before] of checkpoint) {
      if (this.#partitions.get(partitionKey(found.topic, found.partition)) !== found) continue;
      const { position, buffer, takenCount, bufferEnd } = before;
      Object.assign(found, { position, buffer, takenCount, bufferEnd });
    }
  }

  get hasRecords(): boolean {
    for (const { buffer, takenCount } of this.#partitions.values()) if (takenCount < buffer.length) return true;
    return false;
  }

  /**
   * Waits until there are records, the limits are reached, or {@link interrupt} is called.
   * Errors: what Kafka refuses for good; the signal's reason.
   */
  async fill(limits: Limits): Promise<void> {
    while (!this.hasRecords) {
      limits.signal?.throwIfAborted();
      const failure = this.#failure;
      if (failure !== undefined) {
        this.#failure = undefined;
        throw failure;
      }
      const waitMs = Math.min(this.#options.maxWaitMs, Math.ceil(remainingMs(limits)));
      const requests = this.#startRequests(waitMs);
      if (remainingMs(limits) === 0) return;
      if (await this.#waitForAny(requests, limits)) return;
    }
  }

  /** Ends a running {@link fill} at once. */
  interrupt(): void {
    this.#wake?.();
  }

  async close(): Promise<void> {
    this.#epoch += 1;
    this.#partitions.clear();
    this.interrupt();
    await this.#cluster.closePool(this.#pool);
  }

  /** Whether it was interrupted. Resolves when any of the requests is done, and at the limits. */
  async #waitForAny(requests: readonly Promise<void>[], limits: Limits): Promise<boolean> {
    const { signal } = limits;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const woken = new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(true);
      onAbort = () => resolve(false);
      signal?.addEventListener('abort', onAbort, { once: true });
      timer = setTimeout(() => resolve(false), remainingMs(limits));
    });
    try {
      return await Promise.race([woken, ...requests.map((request) => request.then(() => false))]);
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
      this.#wake = undefined;
    }
  }

  /** Everything that is on its way, with new requests to brokers that have none. */
  #startRequests(waitMs: number): Promise<void>[] {
    const byLeader = Map.groupBy(
      [...this.#partitions.values()].filter(({ position }) => position !== undefined),
      ({ topic, partition }) => this.#cluster.knownTopic(topic)?.partitions[partition]?.leader ?? -1,
    );
    for (const [leader, partitions] of byLeader) {
      if (this.#inFlight.has(leader)) continue;
      const request = this.#request(leader, partitions, waitMs).finally(() => {
        if (this.#inFlight.get(leader) === request) this.#inFlight.delete(leader);
      });
      this.#inFlight.set(leader, request);
    }
    return [...this.#inFlight.values()];
  }

  /** One fetch of one broker; never rejects. */
  async #request(leader: number, partitions: readonly Partition[], waitMs: number): Promise<void> {
    const epoch = this.#epoch;
    const positions = new Map(partitions.map((partition) => [partition, partition.position ?? 0n]));
    let isFailed = true;
    try {
      const broker = this.#cluster.broker(leader);
      if (broker !== undefined) {
        const response = await this.#fetch(leader, positions, waitMs);
        if (epoch !== this.#epoch) return;
        isFailed = this.#accept(response, positions);
      }
    } catch {
      // The broker is gone: found again below.
    }
    if (epoch !== this.#epoch) return;
    this.#failedAttempts = isFailed ? this.#failedAttempts + 1 : 0;
    if (isFailed) await this.#refresh(partitions);
  }

  async #fetch(leader: number, positions: ReadonlyMap<Partition, bigint>, waitMs: number) {
    const { isolationLevel, minBytes, maxBytes } = this.#options;
    const broker = this.#cluster.broker(leader);
    const connection = await this.#pool.get(broker as NonNullable<typeof broker>);
    const topics = [...Map.groupBy(positions, ([{ topic }]) => topic)].map(([topic, entries]) => ({
      topicId: this.#cluster.knownTopic(topic)?.id ?? '',
      partitions: entries.map(([{ partition }, fetchOffset]) => ({
        partition,
        currentLeaderEpoch: ANY_LEADER_EPOCH,
        fetchOffset,
        lastFetchedEpoch: ANY_LEADER_EPOCH,
        partitionMaxBytes: maxBytes,
      })),
    }));
    try {
      return await fetchV13.api.async(
        connection,
        ...([waitMs, minBytes, maxBytes, isolationByte(isolationLevel)] as const),
        NO_SESSION.id,
        NO_SESSION.epoch,
        topics,
        [],
        '',
      );
    } catch (error) {
      // One partition with an error makes the whole answer one.
      const partial = responseIn<fetchV13.FetchResponse>(error);
      if (partial === undefined) throw error;
      return partial;
    }
  }

  /** Whether a look at the metadata is due. */
  #accept(response: fetchV13.FetchResponse, positions: ReadonlyMap<Partition, bigint>): boolean {
    let isStale = response.errorCode !== 0;
    const byId = Map.groupBy(positions.keys(), ({ topic }) => this.#cluster.knownTopic(topic)?.id ?? '');
    for (const { topicId, partitions } of response.responses) {
      for (const answer of partitions) {
        const found = byId.get(topicId)?.find(({ partition }) => partition === answer.partitionIndex);
        // Not when it was taken away, or its position was changed meanwhile.
        if (found === undefined || found.position !== positions.get(found)) continue;
        if (!this.#acceptPartition(found, answer)) isStale = true;
      }
    }
    return isStale;
  }

  #acceptPartition(found: Partition, answer: fetchV13.FetchResponsePartition): boolean {
    const { topic, partition, position = 0n } = found;
    const errorId = errorIdOf(answer.errorCode);
    switch (errorId) {
      case undefined:
        break;
      case 'OFFSET_OUT_OF_RANGE':
        this.#onOutOfRange(found);
        return true;
      case 'TOPIC_AUTHORIZATION_FAILED':
        this.#failure = new BridgeError('kafkaRefused', { message: javaException(errorId) });
        return true;
      default:
        return false;
    }
    const { records, end } = storedRecords({
      ...{ topic, partition, position },
      batches: answer.records ?? [],
      abortedTransactions: this.#options.isolationLevel === 'read_committed' ? answer.abortedTransactions : null,
    });
    Object.assign(found, { buffer: records, takenCount: 0, bufferEnd: end });
    // Nothing to deliver in what was fetched: markers, aborted records, a compacted tail.
    if (records.length === 0) found.position = end;
    return true;
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
    found.isOutOfRange = true;
    // Whoever polls finds the position first.
    this.interrupt();
  }

  /** After a failure: who leads now. */
  async #refresh(partitions: readonly Partition[]): Promise<void> {
    const pauseMs = backoffMs(this.#failedAttempts);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    try {
      await this.#cluster.topics(topics, { deadlineAtMs: performance.now() + this.#options.requestTimeoutMs }, 0);
    } catch {
      // The next request finds out.
    }
  }

  /** Requests on their way hold their connections until their wait is over: new ones go over new connections. */
  #abandonRequests(): void {
    this.#epoch += 1;
    if (this.#inFlight.size === 0) return;
    this.#inFlight.clear();
    void this.#cluster.closePool(this.#pool);
    this.#pool = this.#createPool();
  }

  #createPool(): ConnectionPool {
    const { clientId, maxWaitMs, requestTimeoutMs } = this.#options;
    return this.#cluster.createPool({ clientId, requestTimeoutMs: maxWaitMs + requestTimeoutMs });
  }
}

function newPartition(topic: string, partition: number): Partition {
  return {
    topic,
    partition,
    position: undefined,
    committed: undefined,
    isOutOfRange: false,
    buffer: [],
    takenCount: 0,
    bufferEnd: 0n,
  };
}

/** The partitions of one consumer: their positions, and the records that were fetched and not yet taken. */
import type { Connection, ConnectionPool } from '@platformatic/kafka';
import { BridgeError } from '../errors.ts';
import { type PartitionOffset, partitionKey, type StoredRecord, type TopicPartition } from '../records.ts';
import type { Cluster } from './cluster.ts';
import { errorIdOf, refusal } from './failure.ts';
import { type FetchAnswer, type FetchedPartition, fetchFrom } from './fetch.ts';
import { backoffMs, type Limits, remainingMs } from './limits.ts';
import { type IsolationLevel, isolationByte, type OffsetSpec } from './list-offsets.ts';
import { ReadReplicas } from './read-replicas.ts';
import { storedRecords, unreadable } from './stored-records.ts';

export interface FetcherOptions {
  /** How brokers name this consumer in their logs. */
  clientId: string;
  isolationLevel: IsolationLevel;
  minBytes: number;
  /** Of one fetch of one broker. */
  maxBytes: number;
  /** Of one partition in it. Default: `maxBytes`. */
  partitionMaxBytes?: number;
  /** Where the bridge is: replicas there are read from, if leaders know any. */
  rack?: string | undefined;
  /** How long a broker may hold a fetch. */
  maxWaitMs: number;
  /** Whether checksums of record batches are compared. */
  isChecking: boolean;
  /** On top of the wait, until the broker counts as gone. */
  requestTimeoutMs: number;
}

/** A position that the log no longer or not yet has. */
export type OutOfRangePolicy = 'reset' | 'fail';

/** An end of the partition, or the one that the consumer's reset policy says. */
export type ResetTarget = OffsetSpec | 'policy';

interface Partition extends TopicPartition {
  /** Of the topic that the position is of; `undefined` until something is fetched from it. */
  topicId: string | undefined;
  /** The next offset to deliver; `undefined` until it is found. */
  position: bigint | undefined;
  /** What the group has committed, as far as this consumer knows. */
  committed: bigint | undefined;
  /** Where an unknown position is to be found; `undefined`: at what is committed, if anything is. */
  resetTo: ResetTarget | undefined;
  buffer: readonly StoredRecord[];
  /** How many of the buffer were taken. */
  takenCount: number;
  /** The offset after everything in the buffer: where the next fetch begins, while the buffer has records. */
  bufferEnd: bigint;
  /** How many bytes of the log the buffer is. */
  bufferBytes: number;
  /** The end of what consumers may see, when it was last fetched. */
  logEnd: bigint;
}

interface FetchSize {
  waitMs: number;
  maxBytes: number;
}

/** What {@link Fetcher.advance} changed, so that it can be taken back. */
export type Checkpoint = ReadonlyMap<Partition, Partition>;

/** A consumer that is read fetches ahead when less than this part of a fetch is left. */
const FETCH_AHEAD_RATIO = 0.5;
/** Fetches without a fetch session (KIP-227): concurrent requests would get in each other's way. */
const NO_SESSION = { id: 0, epoch: -1 } as const;
const ANY_LEADER_EPOCH = -1;

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  readonly #outOfRangePolicy: OutOfRangePolicy;
  readonly #replicas: ReadReplicas;
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
    this.#replicas = new ReadReplicas({ rack: options.rack, maxAgeMs: cluster.options.metadataMaxAgeMs });
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

  /** Partitions without a position; with `resetTo` where what is committed does not count. */
  get unpositioned(): (TopicPartition & { resetTo: ResetTarget | undefined })[] {
    return [...this.#partitions.values()]
      .filter(({ position }) => position === undefined)
      .map(({ topic, partition, resetTo }) => ({ topic, partition, resetTo }));
  }

  /** Every position that is known. */
  get positions(): PartitionOffset[] {
    return [...this.#partitions.values()].flatMap(({ topic, partition, position }) =>
      position === undefined ? [] : [{ topic, partition, offset: position }],
    );
  }

  /** Positions that differ from what is committed; none of a topic that was made anew, which they do not belong to. */
  get uncommitted(): PartitionOffset[] {
    return [...this.#partitions.values()].flatMap((found) => {
      const { topic, partition, position, committed } = found;
      if (position === undefined || position === committed || this.#isMadeAnew(found)) return [];
      return [{ topic, partition, offset: position }];
    });
  }

  /** Sets positions of partitions that have none. */
  setPositions(offsets: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const found = this.#partitions.get(partitionKey(topic, partition));
      if (found === undefined || found.position !== undefined) continue;
      found.position = offset;
      found.resetTo = undefined;
    }
  }

  /** Moves a position, and drops what was fetched. Whether the partition is assigned. */
  seek({ topic, partition }: TopicPartition, to: bigint | OffsetSpec): boolean {
    const found = this.#partitions.get(partitionKey(topic, partition));
    if (found === undefined) return false;
    const target = typeof to === 'bigint' ? { position: to, resetTo: undefined } : { position: undefined, resetTo: to };
    Object.assign(found, { ...target, topicId: undefined, buffer: [], takenCount: 0, bufferEnd: 0n });
    this.#failure = undefined;
    this.#abandonRequests();
    return true;
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
    let found: Partition | undefined;
    for (const { topic, partition, offset } of records) {
      if (found?.partition !== partition || found.topic !== topic) {
        found = this.#partitions.get(partitionKey(topic, partition));
      }
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
      const { position, buffer, takenCount, bufferEnd, bufferBytes } = before;
      Object.assign(found, { position, buffer, takenCount, bufferEnd, bufferBytes });
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
    this.#fetchAhead();
    while (!this.hasRecords) {
      limits.signal?.throwIfAborted();
      const isMovedAway = this.#leaveMadeAnew();
      const failure = this.#failure;
      if (failure !== undefined) {
        this.#failure = undefined;
        throw failure;
      }
      if (isMovedAway) return;
      const { maxWaitMs, maxBytes } = this.#options;
      const waitMs = Math.min(maxWaitMs, Math.ceil(remainingMs(limits)));
      const requests = this.#startRequests([...this.#partitions.values()], { waitMs, maxBytes });
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

  /**
   * Fetches what comes next while the client works on what it has: only in a poll that has records, only where the log
   * is known to go on, and no more than there is room for.
   */
  #fetchAhead(): void {
    const partitions = [...this.#partitions.values()];
    const leftBytes = partitions.reduce((sum, partition) => sum + remainingBytes(partition), 0);
    const { maxBytes } = this.#options;
    if (leftBytes === 0 || leftBytes > maxBytes * FETCH_AHEAD_RATIO) return;
    const behind = partitions.filter((partition) => (nextOffset(partition) ?? partition.logEnd) < partition.logEnd);
    this.#startRequests(behind, { waitMs: 0, maxBytes: Math.ceil(maxBytes - leftBytes) });
  }

  /** Everything that is on its way, with new requests to brokers that have none. */
  #startRequests(partitions: readonly Partition[], size: FetchSize): Promise<void>[] {
    const fetchable = partitions.filter((found) => found.position !== undefined && !this.#isMadeAnew(found));
    for (const found of fetchable) found.topicId ??= this.#cluster.knownTopic(found.topic)?.id;
    const bySource = Map.groupBy(fetchable, (found) =>
      this.#replicas.sourceOf(found, this.#cluster.knownTopic(found.topic)?.partitions[found.partition]),
    );
    for (const [source, read] of bySource) {
      if (this.#inFlight.has(source)) continue;
      const request = this.#request(source, read, size).finally(() => {
        if (this.#inFlight.get(source) === request) this.#inFlight.delete(source);
      });
      this.#inFlight.set(source, request);
    }
    return [...this.#inFlight.values()];
  }

  /** One fetch of one broker; never rejects. */
  async #request(nodeId: number, partitions: readonly Partition[], size: FetchSize): Promise<void> {
    const epoch = this.#epoch;
    const offsets = new Map(partitions.map((partition) => [partition, nextOffset(partition) ?? 0n]));
    let isFailed = true;
    try {
      const broker = this.#cluster.broker(nodeId);
      if (broker !== undefined) {
        const answer = await this.#fetch(await this.#pool.get(broker), offsets, size);
        if (epoch !== this.#epoch) return;
        isFailed = this.#accept(answer, offsets);
      }
    } catch {
      // The broker is gone: found again below.
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

  /** Whether a look at the metadata is due. */
  #accept(answer: FetchAnswer, offsets: ReadonlyMap<Partition, bigint>): boolean {
    let isStale = answer.errorCode !== 0;
    const byId = Map.groupBy(offsets.keys(), ({ topic }) => this.#cluster.knownTopic(topic)?.id ?? '');
    for (const fetched of answer.partitions) {
      const found = byId.get(fetched.topicId)?.find(({ partition }) => partition === fetched.partition);
      // Not when it was taken away, or its position was changed meanwhile.
      if (found === undefined || nextOffset(found) !== offsets.get(found)) continue;
      if (!this.#acceptPartition(found, fetched)) isStale = true;
    }
    return isStale;
  }

  #acceptPartition(found: Partition, fetched: FetchedPartition): boolean {
    const { topic, partition } = found;
    const errorId = errorIdOf(fetched.errorCode);
    switch (errorId) {
      case undefined:
        break;
      case 'OFFSET_OUT_OF_RANGE':
        // A replica may be behind: the leader knows.
        if (this.#replicas.giveUp(found)) return true;
        // Told when what is left has been delivered, by the fetch that follows it.
        if (found.takenCount === found.buffer.length) this.#onOutOfRange(found);
        return true;
      case 'CORRUPT_MESSAGE':
        // The broker cannot read it either. Told like the position above.
        if (found.takenCount === found.buffer.length) {
          this.#failure = new BridgeError('kafkaRefused', {
            message: `org.apache.kafka.common.KafkaException: Encountered corrupt message when fetching offset ${found.position} for topic-partition ${topic}-${partition}`,
          });
        }
        return true;
      case 'TOPIC_AUTHORIZATION_FAILED':
        this.#failure = refusal(errorId, { topics: [topic] });
        return true;
      default:
        return false;
    }
    if (fetched.preferredReplica >= 0) this.#replicas.prefer(found, fetched.preferredReplica);
    const isCommittedOnly = this.#options.isolationLevel === 'read_committed';
    const left = found.buffer.slice(found.takenCount);
    let read: ReturnType<typeof storedRecords>;
    try {
      read = storedRecords({
        ...{ topic, partition, position: nextOffset(found) ?? 0n, batches: fetched.batches },
        abortedTransactions: isCommittedOnly ? fetched.abortedTransactions : null,
        isChecking: this.#options.isChecking,
      });
    } catch (error) {
      // Told when what is left has been delivered, and at every poll until the client seeks past it.
      if (left.length === 0) this.#failure = unreadable(found, error);
      return true;
    }
    const { records, end } = read;
    // Nothing to deliver before what comes next: markers, aborted records, a compacted tail.
    if (left.length === 0 && records.length === 0) found.position = end;
    const bufferBytes = remainingBytes(found) + fetched.batches.length;
    const logEnd = isCommittedOnly ? fetched.lastStableOffset : fetched.highWatermark;
    const buffer = left.length === 0 ? records : left.concat(records);
    Object.assign(found, { buffer, takenCount: 0, bufferEnd: end, bufferBytes, logEnd });
    return true;
  }

  /** Whether the topic was deleted and made again since the position was found (KIP-516). */
  #isMadeAnew({ topic, topicId }: Partition): boolean {
    const known = this.#cluster.knownTopic(topic)?.id;
    return topicId !== undefined && known !== undefined && known !== topicId;
  }

  /** Whether a position was given up: everything in a topic that was made anew is new to the consumer. */
  #leaveMadeAnew(): boolean {
    let isMovedAway = false;
    for (const found of this.#partitions.values()) {
      if (!this.#isMadeAnew(found)) continue;
      if (this.#outOfRangePolicy === 'fail') {
        this.#onOutOfRange(found);
        continue;
      }
      const unread = { topicId: undefined, position: undefined, committed: undefined, resetTo: 'earliest' } as const;
      Object.assign(found, { ...unread, buffer: [], takenCount: 0, bufferEnd: 0n });
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
    // Whoever polls finds the position first.
    this.interrupt();
  }

  /** After a failure: who leads now. */
  async #refresh(partitions: readonly Partition[]): Promise<void> {
    const pauseMs = backoffMs(this.#failedAttempts, this.#cluster.backoff);
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
    topicId: undefined,
    position: undefined,
    committed: undefined,
    resetTo: undefined,
    buffer: [],
    takenCount: 0,
    bufferEnd: 0n,
    bufferBytes: 0,
    logEnd: 0n,
  };
}

/** Where the next fetch begins; `undefined` when that is to be found first. */
function nextOffset({ position, buffer, takenCount, bufferEnd }: Partition): bigint | undefined {
  return position !== undefined && takenCount < buffer.length ? bufferEnd : position;
}

/** How much of the log the records are that were not taken yet; an estimate by their count. */
function remainingBytes({ buffer, takenCount, bufferBytes }: Partition): number {
  return buffer.length === 0 ? 0 : (bufferBytes * (buffer.length - takenCount)) / buffer.length;
}

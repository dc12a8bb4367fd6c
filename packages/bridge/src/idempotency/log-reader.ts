/** Reads a topic of committed records into memory, and reports how far it was read. */
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import { TopicTail } from '../kafka/fetch/topic-tail.ts';
import type { StoredRecord } from '../records.ts';

export interface LogReaderOptions {
  topic: string;
  partitionCount: number;
  findTopic: (end: AbortSignal) => Promise<TopicInfo>;
  onRecord: (record: StoredRecord) => void;
  /** The partition is read from its beginning, for the first time or because another topic has its name. */
  onRestart?: (partition: number) => void;
  /** Why the topic cannot be read now; `undefined` when it can. */
  onTrouble?: (reason: string | undefined) => void;
}

interface Waiter {
  partitions: readonly { partition: number; end: bigint }[];
  resolve: () => void;
  reject: (error: BridgeError) => void;
}

const UNKNOWN_END = 2n ** 63n;
/** Records of one response are applied in one turn of the event loop. */
const MAX_BYTES = 524_288;

export class LogReader {
  readonly #cluster: Cluster;
  readonly #options: LogReaderOptions;
  readonly #tail: TopicTail;
  /** What each partition had when it was first read. */
  #firstEnds: bigint[];
  #isLoaded = false;
  readonly #waiters = new Set<Waiter>();
  #trouble: string | undefined;
  #readableSinceMs = Number.POSITIVE_INFINITY;
  /** Waiting does not help. */
  #isRefused = false;

  constructor(cluster: Cluster, options: LogReaderOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#firstEnds = new Array(options.partitionCount).fill(UNKNOWN_END);
    const { topic, findTopic, onRecord } = options;
    const restart = (partition: number): void => {
      this.#firstEnds[partition] = UNKNOWN_END;
      this.#isLoaded = false;
      options.onRestart?.(partition);
    };
    this.#tail = new TopicTail(
      cluster,
      { topic, findTopic, isolationLevel: 'read_committed', maxBytes: MAX_BYTES },
      {
        onRestart: restart,
        onRecreated: restart,
        onRecord,
        onFetched: (partition, end) => this.#onFetched(partition, end),
        onTrouble: (reason, { isRefused }) => this.#note(reason, isRefused),
      },
    );
  }

  start(): void {
    this.#tail.start();
  }

  async close(): Promise<void> {
    await this.#tail.close();
  }

  /** Whether everything was read that the topic had at the start. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Since when the topic has been read without a break, by `performance.now()`; `Infinity` while it is not. */
  get readableSinceMs(): number {
    return this.#readableSinceMs;
  }

  /** Why the topic cannot be read now. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Resolves when {@link isLoaded}. Errors: `kafkaUnavailable`, with the reason. */
  async untilLoaded(limits: Limits): Promise<void> {
    if (this.#isLoaded) return;
    if (this.#isRefused) throw this.#refusal();
    await this.#reach(
      this.#firstEnds.map((_, partition) => ({ partition, end: 0n })),
      limits,
    );
  }

  /**
   * Reads what the partitions have at this moment, and waits for transactions that are open in them: each is then committed and read, or aborted.
   * Errors: `kafkaUnavailable`.
   */
  async readToEnd(partitions: readonly number[], limits: Limits): Promise<void> {
    const { topic } = this.#options;
    try {
      const ends = await listOffsets(
        this.#cluster,
        partitions.map((partition) => ({ topic, partition })),
        { spec: 'latest', isolationLevel: 'read_uncommitted', limits },
      );
      await this.#reach(
        ends.map(({ partition, offset }) => ({ partition, end: offset })),
        limits,
      );
    } catch (error) {
      throw toBridgeError(error);
    }
  }

  async #reach(partitions: Waiter['partitions'], limits: Limits): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { partitions, resolve, reject };
    this.#waiters.add(waiter);
    this.#wake();
    try {
      await bounded(promise, limits);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  #note(reason: string | undefined, isRefused: boolean): void {
    this.#isRefused = isRefused;
    if (reason !== undefined) this.#readableSinceMs = Number.POSITIVE_INFINITY;
    else if (this.#readableSinceMs === Number.POSITIVE_INFINITY) this.#readableSinceMs = performance.now();
    if (this.#trouble === reason) return;
    this.#trouble = reason;
    this.#options.onTrouble?.(reason);
    if (isRefused) for (const waiter of this.#waiters) waiter.reject(this.#refusal());
  }

  #refusal(): BridgeError {
    return new BridgeError('kafkaUnavailable', { message: this.#trouble ?? '' });
  }

  #onFetched(partition: number, end: bigint): void {
    if (this.#firstEnds[partition] === UNKNOWN_END) this.#firstEnds[partition] = end;
    if (!this.#isLoaded) this.#isLoaded = this.#firstEnds.every((first, number) => this.#isRead(number, first));
    this.#wake();
  }

  #wake(): void {
    if (!this.#isLoaded) return;
    for (const waiter of this.#waiters) {
      if (!waiter.partitions.every(({ partition, end }) => this.#isRead(partition, end))) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  #isRead(partition: number, end: bigint): boolean {
    return this.#tail.position(partition) >= end;
  }
}

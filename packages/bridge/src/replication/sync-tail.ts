/** The offset syncs of one direction, as MirrorMaker writes them into the cluster that it fills. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import { partitionKey, type TopicPartition } from '../records.ts';
import { decodeOffsetSync, offsetSyncsTopic } from './mirror-maker.ts';
import { MirrorTail } from './mirror-tail.ts';
import { SyncIndex } from './sync-index.ts';

interface Wait {
  offset: number;
  resolve: () => void;
}

/** How many syncs were read when it was made: a sync that was read before says nothing of a record that was stored since. */
export type SyncMark = number;

export class SyncTail {
  readonly index = new SyncIndex();
  readonly tail: MirrorTail;
  /** By partition: who waits until a record is copied. */
  readonly #waits = new Map<string, Set<Wait>>();
  /** By partition: how many syncs had been read with its newest one. */
  readonly #readAt = new Map<string, number>();
  #readCount = 0;

  /** `source`: the name of the cluster whose records are copied to `target`. */
  constructor(target: Cluster, { source, requestTimeoutMs }: { source: string; requestTimeoutMs: number }) {
    this.tail = new MirrorTail(target, {
      topic: offsetSyncsTopic(source),
      requestTimeoutMs,
      onRestart: () => this.index.clear(),
      onRecord: (record) => {
        const sync = decodeOffsetSync(record);
        if (sync === undefined) return;
        this.index.add(sync);
        this.#readCount += 1;
        this.#readAt.set(partitionKey(sync.topic, sync.partition), this.#readCount);
        this.#settle(sync, Number(sync.upstream));
      },
    });
  }

  get mark(): SyncMark {
    return this.#readCount;
  }

  /** Whether the newest sync of a partition was read before the mark. */
  isFrom({ topic, partition }: TopicPartition, mark: SyncMark): boolean {
    return (this.#readAt.get(partitionKey(topic, partition)) ?? 0) <= mark;
  }

  /**
   * Waits until the record at this offset, and all before it, are copied. `since`: made before the record was stored: older syncs are of a topic that was
   * deleted, if they have the offset. Errors: as {@link bounded}.
   */
  async untilCopied(
    place: TopicPartition,
    offset: bigint,
    { since, limits }: { since?: SyncMark | undefined; limits: Limits },
  ): Promise<void> {
    const wanted = Number(offset);
    const isCurrent = since === undefined || !this.isFrom(place, since);
    if (isCurrent && (this.index.newest(place)?.upstream ?? -1) >= wanted) return;
    const key = partitionKey(place.topic, place.partition);
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait = { offset: wanted, resolve };
    const waits = this.#waits.get(key) ?? new Set();
    this.#waits.set(key, waits.add(wait));
    try {
      await bounded(promise, limits);
    } finally {
      waits.delete(wait);
      if (waits.size === 0 && this.#waits.get(key) === waits) this.#waits.delete(key);
    }
  }

  #settle({ topic, partition }: TopicPartition, upstream: number): void {
    const waits = this.#waits.size === 0 ? undefined : this.#waits.get(partitionKey(topic, partition));
    if (waits === undefined) return;
    for (const wait of waits) if (wait.offset <= upstream) wait.resolve();
  }
}

/** What this bridge has read of the session log: an index of each partition, and when Kafka last confirmed that it is complete. */
import { type Instant, NEVER } from '../clock.ts';
import { partitionForKey } from '../kafka/produce/produce.ts';
import type { StoredRecord } from '../records.ts';
import { type LoggedEntry, partitioningKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import { SessionIndex } from './session-index.ts';
import { SESSION_PARTITION_COUNT } from './session-topic.ts';

/** Learns what the log says, once it was read to its end for the first time. */
export interface SessionLogFollower {
  /** The session has another current claim, or the current claim has another value. */
  onChanged?(identity: SessionIdentity): void;
  /** A bridge wrote this entry, and it is the current claim's. */
  onWritten?(entry: LoggedEntry): void;
  /** Another bridge asks whether the owner of this session lives. */
  onAsked?(identity: SessionIdentity): void;
  /** The owner of a superseded claim gave the session up. */
  onHandedOver?(identity: SessionIdentity): void;
  /** The log has a record that bridges of this version cannot read, and skip. */
  onUnreadable?(place: { partition: number; offset: bigint }): void;
  /** The log was deleted and recreated, or lost records: owners write the entries of their sessions again. Never rejects. */
  onRecreated?(): Promise<void>;
}

interface Partition {
  index: SessionIndex;
  /** What is read from the beginning, to replace `index` once it is complete. */
  next: SessionIndex | undefined;
  confirmedAt: Instant;
}

export class SessionLogPartitions {
  readonly #partitions: Partition[] = Array.from({ length: SESSION_PARTITION_COUNT }, () => ({
    index: new SessionIndex(),
    next: new SessionIndex(),
    confirmedAt: NEVER,
  }));
  follower: SessionLogFollower = {};

  /** Whether every partition was read to its end once. */
  get isLoaded(): boolean {
    return this.#partitions.every(({ next }) => next === undefined);
  }

  /** Whether the index has all that was read: not while the partition is read from its beginning. */
  isComplete(number: number): boolean {
    return this.#partitions[number]?.next === undefined;
  }

  indexes(): SessionIndex[] {
    return this.#partitions.map(({ index }) => index);
  }

  indexOf(identity: SessionIdentity): SessionIndex {
    return this.#partitionOf(identity).index;
  }

  /** When Kafka was asked for all that the index says of a session: it said the same at that moment. */
  confirmedAt(identity: SessionIdentity): Instant {
    return this.#partitionOf(identity).confirmedAt;
  }

  confirm(number: number, askedAt: Instant): void {
    const partition = this.#partitions[number];
    if (partition !== undefined && askedAt.monotonicMs > partition.confirmedAt.monotonicMs) {
      partition.confirmedAt = askedAt;
    }
  }

  confirmAll(askedAt: Instant): void {
    this.#partitions.forEach((_, number) => {
      this.confirm(number, askedAt);
    });
  }

  /** The partition is read from its beginning. */
  restart(number: number): void {
    const partition = this.#partitions[number];
    if (partition !== undefined) partition.next = new SessionIndex();
  }

  /**
   * The partition is a new one: what the old one said still counts where the new one says nothing. False for a partition that
   * was never read to its end, and so never relied on: it is read from its beginning.
   */
  recreate(number: number): boolean {
    const partition = this.#partitions[number];
    if (partition === undefined || partition.confirmedAt === NEVER) {
      this.restart(number);
      return false;
    }
    partition.index = SessionIndex.carryingOver(partition.index);
    partition.next = undefined;
    return true;
  }

  apply(record: StoredRecord): void {
    const partition = this.#partitions[record.partition];
    if (partition === undefined) return;
    const applied = (partition.next ?? partition.index).apply(record, performance.now());
    const { follower } = this;
    if (applied.kind === 'unreadable') {
      follower.onUnreadable?.({ partition: record.partition, offset: record.offset });
    }
    if (partition.next !== undefined) return;
    if (applied.kind === 'changed') {
      const entry = partition.index.get(applied.identity);
      if (entry !== undefined) follower.onWritten?.(entry);
      follower.onChanged?.(applied.identity);
    }
    if (applied.kind === 'asked') follower.onAsked?.(applied.identity);
    if (applied.kind === 'handedOver') follower.onHandedOver?.(applied.identity);
  }

  /** The partition was read to its end: what was read from the beginning replaces what was known. */
  complete(number: number): void {
    const partition = this.#partitions[number];
    if (partition?.next === undefined) return;
    const { index, next } = partition;
    partition.index = next;
    partition.next = undefined;
    for (const { identity } of [...index.entries(), ...next.entries()]) this.follower.onChanged?.(identity);
  }

  #partitionOf(identity: SessionIdentity): Partition {
    const partition = this.#partitions[partitionNumberOf(identity)];
    if (partition === undefined) throw new TypeError('no such partition');
    return partition;
  }
}

/** The partition that has all claims of a session. */
export function partitionNumberOf(identity: SessionIdentity): number {
  return partitionForKey(partitioningKey(identity), SESSION_PARTITION_COUNT);
}

/**
 * What waits for one partition, in order, and how much of it is one batch. At most one batch of it is on its way, or a retry
 * could overtake what follows.
 */
import { canShareBatch, type PartitionBatch } from '../kafka/produce.ts';
import { type Entry, isOpen } from './open-requests.ts';

export class Lane {
  readonly topic: string;
  readonly partition: number;
  #queue: Entry[] = [];
  #inFlight: Entry[] = [];
  /** Most records of its next batch: less after a batch that was refused for some record in it. */
  #batchLimit = Number.POSITIVE_INFINITY;
  /** Failed attempts in a row. */
  failureCount = 0;
  isPaused = false;
  /** Why the last attempt failed, when a broker said so. */
  lastRefusal: string | undefined;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** Whether nothing waits; a batch may be on its way. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Whether a batch of what waits may be sent now. */
  get isReady(): boolean {
    return this.#queue.length > 0 && this.#inFlight.length === 0 && !this.isPaused;
  }

  /** When what waits longest has waited too long. */
  get firstExpiresAtMs(): number | undefined {
    return this.#queue[0]?.expiresAtMs;
  }

  push(entry: Entry): void {
    this.#queue.push(entry);
  }

  /** In front of what waits: a batch that goes again. `batchLimit`: of its records that may be in the next one. */
  putBack(entries: readonly Entry[], { batchLimit = Number.POSITIVE_INFINITY }: { batchLimit?: number } = {}): void {
    this.#queue = [...entries, ...this.#queue];
    this.#batchLimit = batchLimit;
  }

  /** Makes a batch of what comes first, as far as there is room; the size of it. */
  take(roomBytes: number, roomCount: number): { count: number; bytes: number } {
    const count = countThatFits(this.#queue, roomBytes, Math.min(roomCount, this.#batchLimit));
    if (count === 0) return { count, bytes: 0 };
    this.#inFlight = count === this.#queue.length ? this.#queue : this.#queue.splice(0, count);
    if (this.#inFlight === this.#queue) this.#queue = [];
    let bytes = 0;
    for (const entry of this.#inFlight) bytes += entry.bytes;
    return { count, bytes };
  }

  /** What is on its way. */
  get batch(): PartitionBatch {
    const { topic, partition } = this;
    return { topic, partition, records: this.#inFlight.map(({ record }) => record) };
  }

  /** The batch is no longer on its way; what it was. */
  land(): Entry[] {
    const entries = this.#inFlight;
    this.#inFlight = [];
    this.#batchLimit = Number.POSITIVE_INFINITY;
    return entries;
  }

  /** Everything that waits, for another lane. */
  takeAll(): Entry[] {
    return this.#queue.splice(0);
  }

  /** Lets go of what has waited too long; that, and what is on its way for too long and may still be stored. */
  expire(nowMs: number): Entry[] {
    const late = [...this.#inFlight, ...this.#queue].filter((entry) => isOpen(entry) && entry.expiresAtMs <= nowMs);
    if (late.length > 0) this.#queue = this.#queue.filter((entry) => entry.expiresAtMs > nowMs);
    return late;
  }
}

/** How many of a queue may be the next batch, from the first. */
function countThatFits(queue: readonly Entry[], roomBytes: number, roomCount: number): number {
  const [first] = queue;
  let bytes = 0;
  let count = 0;
  for (const entry of queue) {
    bytes += entry.bytes;
    if (count >= roomCount || bytes > roomBytes) break;
    if (first !== undefined && !canShareBatch(first.record, entry.record)) break;
    count += 1;
  }
  return count;
}

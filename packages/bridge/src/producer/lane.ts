/**
 * What waits for one partition, in order, and how much of it is one batch. At most one batch of it is on its way, or a retry
 * could overtake what follows.
 */
import type { PartitionBatch } from '../kafka/produce/produce.ts';
import type { TopicPartition } from '../records.ts';
import { type Entry, isOpen } from './open-requests.ts';
import { PartitionSequence } from './sequence.ts';

export class Lane {
  readonly topic: string;
  readonly partition: number;
  #queue: Entry[] = [];
  #inFlight: Entry[] = [];
  readonly #sequence: PartitionSequence;
  /** A batch with a stamp that may be stored: it goes before the queue, and as it was, with those that came too late. */
  #again: Entry[] | undefined;
  /** Most records of its next batch: half of one that Kafka refused for some record in it, doubled with each batch stored. */
  #batchLimit = Number.POSITIVE_INFINITY;
  /** Failed attempts in a row. */
  failureCount = 0;
  isPaused = false;
  /** No record in the lane expires before; it may lag behind, when records have left. */
  #earliestExpiryMs = Number.POSITIVE_INFINITY;
  /** Why the last attempt failed, when a broker said so. */
  lastRefusal: string | undefined;

  /** `onSpent`: this producer's id cannot be used here any longer. */
  constructor({ topic, partition }: TopicPartition, onSpent: (producerId: bigint) => void) {
    this.topic = topic;
    this.partition = partition;
    this.#sequence = new PartitionSequence(onSpent);
  }

  /** Whether nothing waits; a batch may be on its way. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#again === undefined;
  }

  /** Whether a batch of what waits may be sent now. */
  get isReady(): boolean {
    return !this.isEmpty && this.#inFlight.length === 0 && !this.isPaused;
  }

  /** When what waits longest has waited too long. */
  get firstExpiresAtMs(): number | undefined {
    return (this.#again ?? this.#queue)[0]?.expiresAtMs;
  }

  /** Whether batches of an idempotent producer need an id to begin with. */
  get needsProducerId(): boolean {
    return this.#sequence.needsProducerId;
  }

  beginWith(producerId: bigint): void {
    this.#sequence.beginWith(producerId);
  }

  push(entry: Entry): void {
    this.#queue.push(entry);
    if (entry.expiresAtMs < this.#earliestExpiryMs) this.#earliestExpiryMs = entry.expiresAtMs;
  }

  /** After {@link land}: the batch may be stored, and goes again. */
  sendAgain(entries: Entry[]): void {
    if (this.#sequence.isOpen && entries.some(isOpen)) this.#again = entries;
    else this.putBack(entries);
  }

  /** The batch goes again under another id of the producer: the broker knows another history of this one. */
  startOver(entries: readonly Entry[]): void {
    this.#sequence.startOver();
    this.putBack(entries);
  }

  /**
   * In front of what waits: records of a batch that is not stored, and goes again as another one, without those whose
   * clients have been told that it was too late.
   */
  putBack(entries: readonly Entry[]): void {
    this.#sequence.abandon();
    this.#queue = [...entries.filter(isOpen), ...this.#queue];
  }

  /** As {@link putBack}, when Kafka does not say which record in the batch is at fault: the next batch has half as many. */
  putBackHalved(entries: readonly Entry[]): void {
    this.putBack(entries);
    this.#batchLimit = Math.ceil(entries.length / 2);
  }

  /** Makes a batch of what comes first, as far as there is room; the size of it. */
  take(roomBytes: number, roomCount: number): { count: number; bytes: number } {
    if (this.#again !== undefined) {
      const [count, bytes] = [this.#again.length, bytesOf(this.#again)];
      if (count > roomCount || bytes > roomBytes) return { count: 0, bytes: 0 };
      this.#inFlight = this.#again;
      this.#again = undefined;
      return { count, bytes };
    }
    const count = countThatFits(this.#queue, roomBytes, Math.min(roomCount, this.#batchLimit));
    if (count === 0) return { count, bytes: 0 };
    this.#inFlight = count === this.#queue.length ? this.#queue : this.#queue.splice(0, count);
    if (this.#inFlight === this.#queue) this.#queue = [];
    return { count, bytes: bytesOf(this.#inFlight) };
  }

  /** What is on its way, with the stamp of an idempotent producer. */
  batch(): PartitionBatch {
    const { topic, partition } = this;
    return { topic, partition, records: this.#inFlight.map(({ record }) => record), stamp: this.#sequence.stamp() };
  }

  /**
   * What was on its way is stored: so many records. Only that lets the next batch be larger: behind a record that is too
   * large for its topic there are often more.
   */
  advance(recordCount: number): void {
    this.#sequence.advance(recordCount);
    this.#batchLimit *= 2;
  }

  /** What was on its way does not go again. */
  giveUp(): void {
    this.#sequence.abandon();
  }

  /** The batch is no longer on its way; what it was. */
  land(): Entry[] {
    const entries = this.#inFlight;
    this.#inFlight = [];
    return entries;
  }

  /** Everything that waits, for another lane. */
  takeAll(): Entry[] {
    const entries = [...(this.#again ?? []), ...this.#queue.splice(0)];
    this.#again = undefined;
    this.#sequence.abandon();
    return entries;
  }

  /** Removes what has waited too long; returns that, and what is in flight for too long and may still be stored. */
  expire(nowMs: number): readonly Entry[] {
    if (nowMs < this.#earliestExpiryMs) return NONE;
    const late: Entry[] = [];
    this.#earliestExpiryMs = Number.POSITIVE_INFINITY;
    for (const entries of [this.#inFlight, this.#again ?? NONE, this.#queue]) this.#findLate(entries, nowMs, late);
    if (late.length === 0) return late;
    const isLate = (entry: Entry): boolean => entry.expiresAtMs <= nowMs;
    this.#queue = this.#queue.filter((entry) => !isLate(entry));
    if (this.#again?.every(isLate)) {
      this.#again = undefined;
      this.#sequence.abandon();
    }
    return late;
  }

  #findLate(entries: readonly Entry[], nowMs: number, late: Entry[]): void {
    for (const entry of entries) {
      if (!isOpen(entry)) continue;
      if (entry.expiresAtMs <= nowMs) late.push(entry);
      else if (entry.expiresAtMs < this.#earliestExpiryMs) this.#earliestExpiryMs = entry.expiresAtMs;
    }
  }
}

const NONE: readonly Entry[] = [];

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.bytes;
  return bytes;
}

/** How many of a queue may be the next batch, from the first. */
function countThatFits(queue: readonly Entry[], roomBytes: number, roomCount: number): number {
  let bytes = 0;
  let count = 0;
  for (const entry of queue) {
    bytes += entry.bytes;
    if (count >= roomCount || bytes > roomBytes) break;
    count += 1;
  }
  return count;
}

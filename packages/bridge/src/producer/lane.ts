/**
 * The queue of one partition, in order, and how much of it is one batch. At most one batch is in flight, or a retry could be
 * overtaken by later records.
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
  /** A stamped batch that may be stored: it goes before the queue, and unchanged, with its expired records. */
  #again: Entry[] | undefined;
  /** The most records of the next batch: half of one that Kafka refused for a record in it, doubled with each stored batch. */
  #batchLimit = Number.POSITIVE_INFINITY;
  /** Failed attempts in a row. */
  failureCount = 0;
  isPaused = false;
  /** No record in the lane expires earlier; records that have left may still count. */
  #earliestExpiryMs = Number.POSITIVE_INFINITY;
  /** Why the last attempt failed, if a broker gave a reason. */
  lastRefusal: string | undefined;

  /** `onSpent`: this producer id can no longer be used. */
  constructor({ topic, partition }: TopicPartition, onSpent: (producerId: bigint) => void) {
    this.topic = topic;
    this.partition = partition;
    this.#sequence = new PartitionSequence(onSpent);
  }

  /** Whether no record waits; a batch may be in flight. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#again === undefined;
  }

  /** Whether a batch of waiting records may be sent now. */
  get isReady(): boolean {
    return !this.isEmpty && this.#inFlight.length === 0 && !this.isPaused;
  }

  /** When the first waiting record expires. */
  get firstExpiresAtMs(): number | undefined {
    return (this.#again ?? this.#queue)[0]?.expiresAtMs;
  }

  /** Whether the lane has no producer id, which an idempotent producer needs. */
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

  /** After {@link land}: the batch may be stored, and is sent again. */
  sendAgain(entries: Entry[]): void {
    if (this.#sequence.isOpen && entries.some(isOpen)) this.#again = entries;
    else this.putBack(entries);
  }

  /** The batch is sent again under another producer id: the broker knows another history of this one. */
  startOver(entries: readonly Entry[]): void {
    this.#sequence.startOver();
    this.putBack(entries);
  }

  /**
   * Puts the records of a batch that is not stored back at the front, to be sent as another batch, without those that have expired.
   */
  putBack(entries: readonly Entry[]): void {
    this.#sequence.abandon();
    this.#queue = [...entries.filter(isOpen), ...this.#queue];
  }

  /** As {@link putBack}, when Kafka does not name the bad records: the next batch is half as large. */
  putBackHalved(entries: readonly Entry[]): void {
    this.putBack(entries);
    this.#batchLimit = Math.ceil(entries.length / 2);
  }

  /** Takes the first records that fit as the batch in flight; returns its size. */
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

  /** The batch in flight, with the stamp of an idempotent producer. */
  batch(): PartitionBatch {
    const { topic, partition } = this;
    return { topic, partition, records: this.#inFlight.map(({ record }) => record), stamp: this.#sequence.stamp() };
  }

  /**
   * The batch in flight is stored. Only then may the next batch be larger: after a record that is too large for its topic, more often
   * follow.
   */
  advance(recordCount: number): void {
    this.#sequence.advance(recordCount);
    this.#batchLimit *= 2;
  }

  /** The batch in flight is not sent again. */
  giveUp(): void {
    this.#sequence.abandon();
  }

  /** The batch is no longer in flight; returns its records. */
  land(): Entry[] {
    const entries = this.#inFlight;
    this.#inFlight = [];
    return entries;
  }

  /** Removes all waiting records, for another lane. */
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

/** How many records, from the first, fit the next batch. */
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

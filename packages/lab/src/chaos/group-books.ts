/** The ledger of one group: records by consumer, duplicates and gaps. */
import type { Delivery } from '../traffic/books.ts';
import { Gap } from './gap.ts';

/** What makes two deliveries the same: the offset, or where records move from one Kafka cluster to another, the record. */
export type DeliveryIdentity = 'place' | 'record';

/** A repeated delivery. */
export interface Repeat {
  consumer: string;
  /** The delivery before, and when it was. */
  before: Delivery;
  beforeAtMs: number;
  /** Whether it must not happen as long as a group keeps its offsets: see {@link GroupSummary.lateDuplicates}. */
  isLate: boolean;
}

export interface GroupSummary {
  /** Repeated deliveries of an offset to the group, by consumer. */
  duplicatesTo: ReadonlyMap<string, number>;
  /** Of these, those that must not happen: the consumer that received the record before had polled again, which acknowledges it. */
  lateDuplicates: number;
  /** Longest time without a delivery to the group, in milliseconds, from its first delivery to the end of the traffic. */
  longestGapMs: number;
  /** The same of a single consumer, the longest of all. */
  longestWaitMs: number;
}

/** The consumer that received an offset last, and at which of its polls. */
interface Given {
  consumer: string;
  poll: number;
  delivery: Delivery;
  atMs: number;
}

export class GroupBooks {
  readonly name: string;
  readonly #now: () => number;
  readonly #identity: DeliveryIdentity;
  readonly #given = new Map<string, Given>();
  readonly #records = new Set<number>();
  readonly #pollCounts = new Map<string, number>();
  readonly #repeats: Repeat[] = [];
  readonly #groupGap = new Gap();
  readonly #consumerGaps = new Map<string, Gap>();
  #endedAtMs: number | undefined;

  /** `now`: monotonic, in milliseconds. */
  constructor(name: string, now: () => number, identity: DeliveryIdentity = 'place') {
    this.name = name;
    this.#now = now;
    this.#identity = identity;
  }

  get repeats(): readonly Repeat[] {
    return this.#repeats;
  }

  has(record: number): boolean {
    return this.#records.has(record);
  }

  /** How many of the deliveries are of records that do not stand where they were delivered from. */
  deliveredElsewhere(isThere: (delivery: Delivery) => boolean): number {
    return [...this.#given.values()].filter(({ delivery }) => !isThere(delivery)).length;
  }

  delivered(consumer: string, deliveries: readonly Delivery[]): void {
    const poll = (this.#pollCounts.get(consumer) ?? 0) + 1;
    const atMs = this.#now();
    for (const delivery of deliveries) {
      const { record, partition, offset } = delivery;
      const id = this.#identity === 'place' ? `${partition}/${offset}` : String(record);
      const before = this.#given.get(id);
      if (before !== undefined) this.#noteRepeat(consumer, before);
      this.#given.set(id, { consumer, poll, delivery, atMs });
      this.#records.add(record);
    }
    this.#pollCounts.set(consumer, poll);
    if (deliveries.length > 0 && this.#endedAtMs === undefined) this.#noteDelivery(consumer);
  }

  /** Later deliveries end no gap. */
  endTraffic(): void {
    this.#endedAtMs ??= this.#now();
  }

  summarize(): GroupSummary {
    const atMs = this.#endedAtMs ?? this.#now();
    const byConsumer = Map.groupBy(this.#repeats, ({ consumer }) => consumer);
    return {
      duplicatesTo: new Map([...byConsumer].map(([consumer, { length }]) => [consumer, length])),
      lateDuplicates: this.#repeats.filter(({ isLate }) => isLate).length,
      longestGapMs: this.#groupGap.longestMs(atMs),
      longestWaitMs: Math.max(0, ...[...this.#consumerGaps.values()].map((gap) => gap.longestMs(atMs))),
    };
  }

  #noteRepeat(consumer: string, { delivery, atMs, ...before }: Given): void {
    const isLate = (this.#pollCounts.get(before.consumer) ?? 0) > before.poll;
    this.#repeats.push({ consumer, before: delivery, beforeAtMs: atMs, isLate });
  }

  #noteDelivery(consumer: string): void {
    const atMs = this.#now();
    const gap = this.#consumerGaps.get(consumer) ?? new Gap();
    this.#consumerGaps.set(consumer, gap);
    gap.end(atMs);
    this.#groupGap.end(atMs);
  }
}

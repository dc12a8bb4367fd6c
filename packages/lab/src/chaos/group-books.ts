/** The ledger of one group: records by consumer, duplicates and gaps. */
import type { Delivery } from '../traffic/books.ts';

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
}

export class GroupBooks {
  readonly name: string;
  readonly #now: () => number;
  readonly #given = new Map<string, Given>();
  readonly #records = new Set<number>();
  readonly #pollCounts = new Map<string, number>();
  readonly #duplicatesTo = new Map<string, number>();
  readonly #groupGap = new Gap();
  readonly #consumerGaps = new Map<string, Gap>();
  #lateDuplicates = 0;
  #endedAtMs: number | undefined;

  /** `now`: monotonic, in milliseconds. */
  constructor(name: string, now: () => number) {
    this.name = name;
    this.#now = now;
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
    for (const delivery of deliveries) {
      const { record, partition, offset } = delivery;
      const place = `${partition}/${offset}`;
      const before = this.#given.get(place);
      if (before !== undefined) this.#countDuplicate(consumer, before);
      this.#given.set(place, { consumer, poll, delivery });
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
    return {
      duplicatesTo: this.#duplicatesTo,
      lateDuplicates: this.#lateDuplicates,
      longestGapMs: this.#groupGap.longestMs(atMs),
      longestWaitMs: Math.max(0, ...[...this.#consumerGaps.values()].map((gap) => gap.longestMs(atMs))),
    };
  }

  #countDuplicate(consumer: string, before: Given): void {
    this.#duplicatesTo.set(consumer, (this.#duplicatesTo.get(consumer) ?? 0) + 1);
    const hasPolledSince = (this.#pollCounts.get(before.consumer) ?? 0) > before.poll;
    if (hasPolledSince) this.#lateDuplicates += 1;
  }

  #noteDelivery(consumer: string): void {
    const atMs = this.#now();
    const gap = this.#consumerGaps.get(consumer) ?? new Gap();
    this.#consumerGaps.set(consumer, gap);
    gap.end(atMs);
    this.#groupGap.end(atMs);
  }
}

/** The longest time between two consecutive moments. */
class Gap {
  #sinceMs: number | undefined;
  #longestMs = 0;

  end(atMs: number): void {
    this.#longestMs = this.longestMs(atMs);
    this.#sinceMs = atMs;
  }

  longestMs(atMs: number): number {
    return this.#sinceMs === undefined ? 0 : Math.max(this.#longestMs, atMs - this.#sinceMs);
  }
}

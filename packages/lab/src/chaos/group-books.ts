/** The books about one group: which records its consumers got, what came again, and how long nothing came. */
import type { Delivery } from '../traffic/books.ts';

export interface GroupSummary {
  /** Deliveries of a place in the topic (partition and offset) that the group had been given before, by consumer. */
  duplicatesTo: ReadonlyMap<string, number>;
  /** Of these, such as nothing excuses: whoever got the record before had polled again since, which acknowledges it. */
  lateDuplicates: number;
  /** Longest time in which the group got nothing, in milliseconds, from its first delivery to the end of the traffic. */
  longestGapMs: number;
  /** The same of a single consumer, the longest of all. */
  longestWaitMs: number;
}

/** Who was given a place last, and at which of its answered polls. */
interface Given {
  consumer: string;
  poll: number;
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

  /** `now` in milliseconds, from any origin; it must not go back. */
  constructor(name: string, now: () => number) {
    this.name = name;
    this.#now = now;
  }

  has(record: number): boolean {
    return this.#records.has(record);
  }

  delivered(consumer: string, deliveries: readonly Delivery[]): void {
    const poll = (this.#pollCounts.get(consumer) ?? 0) + 1;
    for (const { record, partition, offset } of deliveries) {
      const place = `${partition}/${offset}`;
      const before = this.#given.get(place);
      if (before !== undefined) this.#countDuplicate(consumer, before);
      this.#given.set(place, { consumer, poll });
      this.#records.add(record);
    }
    this.#pollCounts.set(consumer, poll);
    if (deliveries.length > 0 && this.#endedAtMs === undefined) this.#noteDelivery(consumer);
  }

  /** What is delivered later ends no gap. */
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

/** The longest time between two moments, of many in a row. */
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

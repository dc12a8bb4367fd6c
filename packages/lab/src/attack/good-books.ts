/** The ledger of the good clients over all attacks: results of each window, and lost records. */
import {
  type ClientError,
  type ClientErrorCount,
  type ConsumerBooks,
  type Delivery,
  ErrorCounts,
  type ProducerBooks,
} from '../traffic/books.ts';
import { percentile } from '../traffic/percentile.ts';

/** Results of the good clients during one attack. */
export interface Window {
  produced: number;
  acknowledged: number;
  errors: ClientErrorCount[];
  p99Ms: number;
  maxMs: number;
  /** Longest time without a delivery to a group. */
  longestGapMs: number;
}

interface Group {
  delivered: Set<number>;
  lastDeliveryAtMs: number;
  longestGapMs: number;
  duplicates: number;
}

export class GoodBooks implements ProducerBooks {
  readonly #now: () => number;
  readonly #groups = new Map<string, Group>();
  readonly #acknowledged = new Set<number>();
  #produced = 0;
  #errors = new ErrorCounts();
  #latenciesMs: number[] = [];
  #producedBefore = 0;

  /** `now`: monotonic, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  addGroup(name: string): ConsumerBooks {
    const group: Group = { delivered: new Set(), lastDeliveryAtMs: this.#now(), longestGapMs: 0, duplicates: 0 };
    this.#groups.set(name, group);
    return {
      creating: () => {},
      delivered: (_, deliveries) => this.#delivered(group, deliveries),
      clientError: (error) => this.clientError(error),
    };
  }

  nextRecord(): number {
    this.#produced += 1;
    return this.#produced;
  }

  acknowledge(record: number, latencyMs: number): void {
    this.#acknowledged.add(record);
    this.#latenciesMs.push(latencyMs);
  }

  clientError(error: ClientError): void {
    this.#errors.add(error);
  }

  /** Starts a window; an open gap continues. */
  openWindow(): void {
    this.#errors = new ErrorCounts();
    this.#latenciesMs = [];
    this.#producedBefore = this.#produced;
    for (const group of this.#groups.values()) group.longestGapMs = 0;
  }

  closeWindow(): Window {
    const now = this.#now();
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    const gaps = [...this.#groups.values()].map((group) => Math.max(group.longestGapMs, now - group.lastDeliveryAtMs));
    return {
      produced: this.#produced - this.#producedBefore,
      acknowledged: sorted.length,
      errors: this.#errors.list(),
      p99Ms: percentile(sorted, 0.99),
      maxMs: sorted.at(-1) ?? 0,
      longestGapMs: Math.max(0, ...gaps),
    };
  }

  /** Acknowledged, and not delivered to every group. */
  undeliveredCount(): number {
    const groups = [...this.#groups.values()];
    return [...this.#acknowledged].filter((record) => !groups.every(({ delivered }) => delivered.has(record))).length;
  }

  get duplicateCount(): number {
    return [...this.#groups.values()].reduce((sum, { duplicates }) => sum + duplicates, 0);
  }

  /** `stored`: how often each record was found in Kafka by an independent reader. */
  compareWithKafka(stored: ReadonlyMap<number, number>): { notStored: number; storedTwice: number } {
    return {
      notStored: [...this.#acknowledged].filter((record) => !stored.has(record)).length,
      storedTwice: [...stored.values()].filter((count) => count > 1).length,
    };
  }

  #delivered(group: Group, deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    const now = this.#now();
    group.longestGapMs = Math.max(group.longestGapMs, now - group.lastDeliveryAtMs);
    group.lastDeliveryAtMs = now;
    for (const { record } of deliveries) {
      if (group.delivered.has(record)) group.duplicates += 1;
      group.delivered.add(record);
    }
  }
}

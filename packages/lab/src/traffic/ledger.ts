/** The ledger of one run: acknowledged records, deliveries by consumer, and errors of clients. */

import type { KeyedSummary } from '../exactly-once/history-check.ts';
import {
  type ClientError,
  type ClientErrorCount,
  type ConsumerBooks,
  type Delivery,
  ErrorCounts,
  type ProducerBooks,
} from './books.ts';
import type { AcknowledgedPlace, TopicLosses } from './loss-reports.ts';
import { percentile } from './percentile.ts';

/** Cheap to read, for the live line. */
export interface LedgerCounts {
  produced: number;
  acknowledged: number;
  /** Distinct records. */
  delivered: number;
  /** Repeated deliveries. */
  duplicates: number;
  clientErrors: number;
  /** Longest time without any delivery, from the first delivery to the end of the traffic. */
  longestGapMs: number;
}

/** Of a run with two clusters: what went with a cluster that was lost. */
export interface LossSummary {
  /** Forced promotions. */
  reportCount: number;
  isFinal: boolean;
  /** Records of the topic in their reports, with those that were never acknowledged. */
  reportedRecords: number;
  /** Acknowledged, not in the active cluster, and in a report. They are not counted as lost. */
  lostWithCluster: number;
  /** Longest time without any acknowledgement, from the first one to the end of the traffic. */
  longestProduceGapMs: number;
}

export interface LedgerSummary extends LedgerCounts {
  durationMs: number;
  deliveredTo: Record<string, number>;
  produceErrors: number;
  consumerErrors: number;
  errors: ClientErrorCount[];
  /** Acknowledged, and not delivered or not in Kafka; as the next ones without what a lost cluster took with it. */
  lost: number;
  undelivered: number;
  /** Acknowledged, and not found when the topic was read back; undefined when it was not read back. */
  notStored: number | undefined;
  /** Records that are in the topic more than once: a request was sent again. */
  storedTwice: number | undefined;
  losses?: LossSummary | undefined;
  /** Of a producer that sends keys. */
  keyed?: KeyedSummary | undefined;
  produceP99Ms: number;
  produceMaxMs: number;
}

export class Ledger implements ProducerBooks, ConsumerBooks {
  readonly #now: () => number;
  #startedAtMs: number;
  #endedAtMs: number | undefined;
  #produced = 0;
  #acknowledged = 0;
  #delivered = 0;
  #duplicates = 0;
  #undelivered = 0;
  /** By record number, from 1. */
  readonly #isAcknowledged: boolean[] = [];
  readonly #deliveryCounts: number[] = [];
  readonly #places: (AcknowledgedPlace | undefined)[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #deliveredTo = new Map<string, number>();
  readonly #errors = new ErrorCounts();
  readonly #deliveryGap: LongestGap;
  readonly #produceGap: LongestGap;
  #losses: TopicLosses | undefined;
  #stored: ReadonlyMap<number, number> | undefined;
  #keyed: KeyedSummary | undefined;

  /** `now`: monotonic, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#deliveryGap = new LongestGap(now);
    this.#produceGap = new LongestGap(now);
    this.#startedAtMs = now();
  }

  /** The traffic starts now. */
  startTraffic(): void {
    this.#startedAtMs = this.#now();
  }

  /** The number of the next record, counted from 1. */
  nextRecord(): number {
    this.#produced += 1;
    this.#isAcknowledged[this.#produced] = false;
    this.#deliveryCounts[this.#produced] = 0;
    return this.#produced;
  }

  acknowledge(record: number, latencyMs: number, place?: AcknowledgedPlace | undefined): void {
    this.#latenciesMs.push(latencyMs);
    this.#produceGap.mark();
    if (this.#isAcknowledged[record] !== false) return;
    this.#isAcknowledged[record] = true;
    this.#acknowledged += 1;
    this.#places[record] = place;
    if (this.#deliveryCounts[record] === 0) this.#undelivered += 1;
  }

  deliver(record: number, consumer: string): void {
    const count = this.#deliveryCounts[record];
    if (count === undefined) return; // Not a record of this run.
    this.#deliveryCounts[record] = count + 1;
    this.#deliveredTo.set(consumer, (this.#deliveredTo.get(consumer) ?? 0) + 1);
    if (count === 0) {
      this.#delivered += 1;
      if (this.#isAcknowledged[record] === true) this.#undelivered -= 1;
    } else {
      this.#duplicates += 1;
    }
    this.#deliveryGap.mark();
  }

  /** A client creates its consumer once; a second create would follow an error of another request. */
  creating(): void {}

  delivered(consumer: string, deliveries: readonly Delivery[]): void {
    for (const { record } of deliveries) this.deliver(record, consumer);
  }

  clientError(error: ClientError): void {
    this.#errors.add(error);
  }

  /** No more records are produced; deliveries after this do not count as gaps. */
  endTraffic(): void {
    if (this.#endedAtMs !== undefined) return;
    this.#deliveryGap.end();
    this.#produceGap.end();
    this.#endedAtMs = this.#now();
  }

  /** How often each record number was found in Kafka by an independent reader, and what that says about keys, if there are any. */
  compareWithKafka(stored: ReadonlyMap<number, number>, keyed?: KeyedSummary | undefined): void {
    this.#stored = stored;
    this.#keyed = keyed;
  }

  /** Of a run with two clusters, what the reports of promotions say about its topic; Kafka is then the active cluster. */
  compareWithReports(losses: TopicLosses): void {
    this.#losses = losses;
  }

  /** Acknowledged records that no consumer has received yet. */
  get undelivered(): number {
    return this.#undelivered;
  }

  counts(): LedgerCounts {
    return {
      produced: this.#produced,
      acknowledged: this.#acknowledged,
      delivered: this.#delivered,
      duplicates: this.#duplicates,
      clientErrors: this.#errors.total(),
      longestGapMs: this.#deliveryGap.longestMs,
    };
  }

  summarize(): LedgerSummary {
    const counts = this.counts();
    const produceErrors = this.#errors.total(({ operation }) => operation === 'send');
    const latenciesMs = this.#latenciesMs.toSorted((a, b) => a - b);
    const stored = this.#stored;
    let lost = 0;
    let notStored = 0;
    let undelivered = 0;
    let lostWithCluster = 0;
    for (let record = 1; record <= this.#produced; record += 1) {
      if (this.#isAcknowledged[record] !== true) continue;
      const isMissing = stored !== undefined && !stored.has(record);
      if (isMissing && this.#isReported(record)) {
        lostWithCluster += 1;
        continue;
      }
      const isUndelivered = this.#deliveryCounts[record] === 0;
      if (isMissing) notStored += 1;
      if (isUndelivered) undelivered += 1;
      if (isMissing || isUndelivered) lost += 1;
    }
    return {
      ...counts,
      durationMs: (this.#endedAtMs ?? this.#now()) - this.#startedAtMs,
      deliveredTo: Object.fromEntries([...this.#deliveredTo].sort(([a], [b]) => a.localeCompare(b))),
      produceErrors,
      consumerErrors: counts.clientErrors - produceErrors,
      errors: this.#errors.list(),
      lost,
      losses: this.#losses && {
        reportCount: this.#losses.reportCount,
        isFinal: this.#losses.isFinal,
        reportedRecords: this.#losses.reportedRecords,
        lostWithCluster,
        longestProduceGapMs: this.#produceGap.longestMs,
      },
      undelivered,
      notStored: stored === undefined ? undefined : notStored,
      storedTwice: stored === undefined ? undefined : [...stored.values()].filter((times) => times > 1).length,
      keyed: this.#keyed,
      produceP99Ms: percentile(latenciesMs, 0.99),
      produceMaxMs: latenciesMs.at(-1) ?? 0,
    };
  }

  #isReported(record: number): boolean {
    const place = this.#places[record];
    return place !== undefined && this.#losses?.has(place) === true;
  }
}

/** The longest time between two events, or between the last one and now. */
class LongestGap {
  readonly #now: () => number;
  #lastAtMs: number | undefined;
  #longestMs = 0;
  #hasEnded = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  mark(): void {
    this.#longestMs = this.longestMs;
    this.#lastAtMs = this.#now();
  }

  /** What comes later does not count. */
  end(): void {
    this.#longestMs = this.longestMs;
    this.#hasEnded = true;
  }

  get longestMs(): number {
    if (this.#lastAtMs === undefined || this.#hasEnded) return this.#longestMs;
    return Math.max(this.#longestMs, this.#now() - this.#lastAtMs);
  }
}

/** The books of a client that runs for ever: what it counts is bounded, and begins with its first success. */
import { createHistogram } from 'node:perf_hooks';
import { type ClientError, type ConsumerBooks, type Delivery, ErrorCounts, type ProducerBooks } from './books.ts';
import { OffsetRanges } from './offset-ranges.ts';

/** Time passes between successes; the longest such time is the gap. */
class Gap {
  readonly #now: () => number;
  #lastAtMs: number | undefined;
  #longestMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  success(): void {
    this.#longestMs = this.longestMs;
    this.#lastAtMs = this.#now();
  }

  get longestMs(): number {
    return this.#lastAtMs === undefined ? 0 : Math.max(this.#longestMs, this.#now() - this.#lastAtMs);
  }
}

/** Of both kinds of client. */
interface SteadyCounts {
  errors: number;
  /** The longest time without a success. */
  gapMs: number;
}

export interface ProduceCounts extends SteadyCounts {
  acknowledged: number;
  /** Of the time from request to response. */
  p99Ms: number;
}

export interface ConsumeCounts extends SteadyCounts {
  /** Distinct records. */
  delivered: number;
  duplicates: number;
  /** Offsets between delivered ones. */
  missing: number;
}

export interface SteadyBooksOptions {
  /** Monotonic, in milliseconds. */
  now: () => number;
  /** An error before the first success: the system is not up yet. */
  onWaiting: (error: ClientError) => void;
}

export class ProduceBooks implements ProducerBooks {
  readonly #options: SteadyBooksOptions;
  readonly #errors = new ErrorCounts();
  readonly #gap: Gap;
  /** In microseconds; whole numbers from 1. */
  readonly #latencies = createHistogram({ figures: 2 });
  #produced = 0;
  #acknowledged = 0;

  constructor(options: SteadyBooksOptions) {
    this.#options = options;
    this.#gap = new Gap(options.now);
  }

  nextRecord(): number {
    this.#produced += 1;
    return this.#produced;
  }

  acknowledge(_record: number, latencyMs: number): void {
    this.#acknowledged += 1;
    this.#gap.success();
    this.#latencies.record(Math.max(1, Math.round(latencyMs * 1_000)));
  }

  clientError(error: ClientError): void {
    if (this.hasStarted) this.#errors.add(error);
    else this.#options.onWaiting(error);
  }

  get hasStarted(): boolean {
    return this.#acknowledged > 0;
  }

  get errors(): ErrorCounts {
    return this.#errors;
  }

  counts(): ProduceCounts {
    return {
      acknowledged: this.#acknowledged,
      errors: this.#errors.total(),
      gapMs: this.#gap.longestMs,
      p99Ms: this.hasStarted ? this.#latencies.percentile(99) / 1_000 : 0,
    };
  }
}

export class ConsumeBooks implements ConsumerBooks {
  readonly #options: SteadyBooksOptions;
  readonly #errors = new ErrorCounts();
  readonly #gap: Gap;
  readonly #partitions = new Map<number, OffsetRanges>();
  #hasStarted = false;
  #delivered = 0;
  #duplicates = 0;

  constructor(options: SteadyBooksOptions) {
    this.#options = options;
    this.#gap = new Gap(options.now);
  }

  creating(): void {}

  delivered(_consumer: string, deliveries: readonly Delivery[]): void {
    this.#hasStarted = true;
    for (const { partition, offset } of deliveries) {
      const ranges = this.#partitions.get(partition) ?? new OffsetRanges();
      this.#partitions.set(partition, ranges);
      if (ranges.add(offset)) this.#delivered += 1;
      else this.#duplicates += 1;
    }
    if (deliveries.length > 0) this.#gap.success();
  }

  clientError(error: ClientError): void {
    if (this.#hasStarted) this.#errors.add(error);
    else this.#options.onWaiting(error);
  }

  /** A poll succeeded. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  get errors(): ErrorCounts {
    return this.#errors;
  }

  counts(): ConsumeCounts {
    return {
      delivered: this.#delivered,
      duplicates: this.#duplicates,
      missing: this.#partitions.values().reduce((total, ranges) => total + ranges.missing, 0),
      errors: this.#errors.total(),
      gapMs: this.#gap.longestMs,
    };
  }
}

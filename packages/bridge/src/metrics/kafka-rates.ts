/** Rates of requests to Kafka, and percentiles of produce requests, computed from counters when a gateway probes. */
import { percentile } from '@causeway/metrics/distribution.ts';
import type { KafkaRatesTold } from '@causeway/protocol/kafka-rates.ts';

/** The time that rates cover; more, if no probe came meanwhile. */
const WINDOW_MS = 10_000;
/** The shortest time between two notes of the counters: gateways may probe more often. */
const STEP_MS = 1_000;

/** Since the start. */
export interface KafkaCounters {
  readonly requestCount: number;
  readonly failureCount: number;
  /** In milliseconds. */
  readonly produceDurations: { readonly buckets: ArrayLike<number>; readonly bounds: readonly number[] };
}

interface Sample {
  atMs: number;
  requestCount: number;
  failureCount: number;
  buckets: Float64Array;
}

/** Computes at each probe; no timer runs. */
export class KafkaRates {
  readonly #counters: KafkaCounters;
  readonly #samples: Sample[] = [];

  constructor(counters: KafkaCounters) {
    this.#counters = counters;
  }

  /** The rates now; `undefined` before there is a second to compare. */
  at(nowMs: number): KafkaRatesTold | undefined {
    const newest = this.#take(nowMs);
    // The first is as old as the window, or what comes next to it.
    while ((this.#samples[1]?.atMs ?? nowMs) <= nowMs - WINDOW_MS) this.#samples.shift();
    const [oldest] = this.#samples;
    if (nowMs - (this.#samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) >= STEP_MS) this.#samples.push(newest);
    if (oldest === undefined || nowMs - oldest.atMs < STEP_MS) return undefined;
    const seconds = (nowMs - oldest.atMs) / 1_000;
    const { bounds } = this.#counters.produceDurations;
    const buckets = newest.buckets.map((count, index) => count - (oldest.buckets[index] ?? 0));
    return {
      requestsPerSecond: (newest.requestCount - oldest.requestCount) / seconds,
      errorsPerSecond: (newest.failureCount - oldest.failureCount) / seconds,
      p50Ms: percentile({ buckets, bounds }, 50),
      p99Ms: percentile({ buckets, bounds }, 99),
    };
  }

  #take(atMs: number): Sample {
    const { requestCount, failureCount, produceDurations } = this.#counters;
    return { atMs, requestCount, failureCount, buckets: Float64Array.from(produceDurations.buckets) };
  }
}

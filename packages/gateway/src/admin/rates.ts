/** Requests per second and percentiles of the last seconds, by region: samples of the counters, taken on a timer. */
import { DURATION_BUCKETS_MS, type RequestStats } from '../stats.ts';

const SAMPLE_INTERVAL_MS = 1_000;
/** Rates are over this many samples. */
const WINDOW_SAMPLES = 10;

export interface Rates {
  requestsPerSecond: number;
  /** Answers with 5xx, of a region or of the gateway itself. */
  errorsPerSecond: number;
  /** Of everything but polls; upper bounds, as exact as the duration buckets; `null` without requests. */
  p50Ms: number | null;
  p99Ms: number | null;
}

interface Sample {
  requestCount: number;
  errorCount: number;
  buckets: Float64Array;
}

const BUCKET_COUNT = DURATION_BUCKETS_MS.length + 1;

export class RateSampler {
  readonly #stats: RequestStats;
  readonly #samples: Map<string, Sample>[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(stats: RequestStats) {
    this.#stats = stats;
  }

  start(): void {
    this.#samples.push(this.#take());
    this.#timer = setInterval(() => {
      this.#samples.push(this.#take());
      if (this.#samples.length > WINDOW_SAMPLES + 1) this.#samples.shift();
    }, SAMPLE_INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The rates of a region since the oldest sample of the window. */
  ratesOf(region: string): Rates {
    const newest = this.#samples.at(-1)?.get(region);
    const oldest = this.#samples[0]?.get(region);
    const seconds = ((this.#samples.length - 1) * SAMPLE_INTERVAL_MS) / 1_000;
    if (newest === undefined || seconds === 0) {
      return { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null };
    }
    const buckets = newest.buckets.map((count, index) => count - (oldest?.buckets[index] ?? 0));
    return {
      requestsPerSecond: (newest.requestCount - (oldest?.requestCount ?? 0)) / seconds,
      errorsPerSecond: (newest.errorCount - (oldest?.errorCount ?? 0)) / seconds,
      p50Ms: percentile(buckets, 50),
      p99Ms: percentile(buckets, 99),
    };
  }

  #take(): Map<string, Sample> {
    const samples = new Map<string, Sample>();
    for (const { region, operation, outcome, series } of this.#stats.entries()) {
      let sample = samples.get(region);
      if (sample === undefined) {
        sample = { requestCount: 0, errorCount: 0, buckets: new Float64Array(BUCKET_COUNT) };
        samples.set(region, sample);
      }
      sample.requestCount += series.count;
      if (outcome === '5xx' || outcome === 'gateway_error') sample.errorCount += series.count;
      // How long a poll takes is what its client asked for.
      if (operation === 'poll') continue;
      for (let index = 0; index < BUCKET_COUNT; index += 1) {
        sample.buckets[index] = (sample.buckets[index] ?? 0) + (series.buckets[index] ?? 0);
      }
    }
    return samples;
  }
}

/** The upper bound of the bucket in which the percentile lies; of the last bucket, its lower bound. */
export function percentile(buckets: ArrayLike<number>, percent: number): number | null {
  let total = 0;
  for (let index = 0; index < buckets.length; index += 1) total += buckets[index] ?? 0;
  if (total === 0) return null;
  let seen = 0;
  for (let index = 0; index < buckets.length; index += 1) {
    seen += buckets[index] ?? 0;
    if (seen * 100 >= total * percent) return DURATION_BUCKETS_MS[index] ?? DURATION_BUCKETS_MS.at(-1) ?? null;
  }
  return null;
}

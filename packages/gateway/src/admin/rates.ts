/** Samples counters on a timer, for requests per second and percentiles of regions and targets over the last seconds. */
import { percentile } from '@causeway/metrics/distribution.ts';
import type { Rates, Redirect } from '@causeway/protocol/admin/model.ts';
import type { Target } from '../regions/target.ts';
import { DURATION_BUCKETS_MS, type RequestStats } from '../stats.ts';

const SAMPLE_INTERVAL_MS = 1_000;
/** Rates span this many samples. */
const WINDOW_SAMPLES = 10;

interface Counts {
  requestCount: number;
  errorCount: number;
  buckets: ArrayLike<number>;
}

interface RegionCounts extends Counts {
  buckets: Float64Array;
}

interface Sample {
  atMs: number;
  all: RegionCounts;
  regions: Map<string, RegionCounts>;
  targets: Map<string, Counts>;
  /** By `from to`. */
  redirects: Map<string, number>;
}

const BUCKET_COUNT = DURATION_BUCKETS_MS.length + 1;
const NO_RATES: Rates = { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null };

export interface RateSources {
  stats: RequestStats;
  targets: () => Iterable<Target>;
}

export class RateSampler {
  readonly #sources: RateSources;
  readonly #samples: Sample[] = [];
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(sources: RateSources) {
    this.#sources = sources;
  }

  start(): void {
    this.#samples.push(this.#take());
    this.#timer = setInterval(() => {
      this.#samples.push(this.#take());
      if (this.#samples.length > WINDOW_SAMPLES + 1) this.#samples.shift();
      for (const listener of this.#listeners) listener();
    }, SAMPLE_INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  /** Calls `listener` after each sample, once a second, until the sampler closes. */
  onSample(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Returns the rates of all requests of clients. */
  get all(): Rates {
    return this.#rates((sample) => sample.all);
  }

  /** Returns the rates of requests that ended at a region, over the last `windowSamples` seconds. */
  ratesOf(region: string, windowSamples: number = WINDOW_SAMPLES): Rates {
    return this.#rates((sample) => sample.regions.get(region), windowSamples);
  }

  /** Returns the rates of attempts at a target. */
  ratesOfTarget(target: Target): Rates {
    return this.#rates((sample) => sample.targets.get(targetKey(target)));
  }

  /** Returns the rates of redirected requests, by region of origin and region that served them. */
  get redirects(): Redirect[] {
    const window = this.#window();
    if (window === undefined) return [];
    return [...window.newest.redirects].flatMap(([pair, count]) => {
      const requestsPerSecond = (count - (window.oldest.redirects.get(pair) ?? 0)) / window.seconds;
      const [from = '', to = ''] = pair.split(' ');
      return requestsPerSecond > 0 ? [{ from, to, requestsPerSecond }] : [];
    });
  }

  #rates(countsOf: (sample: Sample) => Counts | undefined, windowSamples?: number): Rates {
    const window = this.#window(windowSamples);
    const newest = window && countsOf(window.newest);
    if (window === undefined || newest === undefined) return NO_RATES;
    const oldest = countsOf(window.oldest);
    const buckets = Array.from(newest.buckets, (count, index) => count - (oldest?.buckets[index] ?? 0));
    return {
      requestsPerSecond: (newest.requestCount - (oldest?.requestCount ?? 0)) / window.seconds,
      errorsPerSecond: (newest.errorCount - (oldest?.errorCount ?? 0)) / window.seconds,
      p50Ms: percentile({ buckets, bounds: DURATION_BUCKETS_MS }, 50),
      p99Ms: percentile({ buckets, bounds: DURATION_BUCKETS_MS }, 99),
    };
  }

  #window(samples: number = WINDOW_SAMPLES): { newest: Sample; oldest: Sample; seconds: number } | undefined {
    const newest = this.#samples.at(-1);
    const oldest = this.#samples[Math.max(0, this.#samples.length - 1 - samples)];
    if (newest === undefined || oldest === undefined || newest === oldest) return undefined;
    return { newest, oldest, seconds: (newest.atMs - oldest.atMs) / 1_000 };
  }

  #take(): Sample {
    const { stats, targets } = this.#sources;
    const all = newCounts();
    const regions = new Map<string, RegionCounts>();
    for (const { region, operation, outcome, series } of stats.entries()) {
      let counts = regions.get(region);
      if (counts === undefined) {
        counts = newCounts();
        regions.set(region, counts);
      }
      const isError = outcome === '5xx' || outcome === 'gatewayError';
      for (const sum of [all, counts]) {
        sum.requestCount += series.count;
        if (isError) sum.errorCount += series.count;
        // The duration of a poll is up to its client.
        if (operation !== 'poll') add(sum.buckets, series.buckets);
      }
    }
    const redirects = [...stats.redirects].flatMap(([from, counts]) =>
      [...counts].map(([to, count]): [string, number] => [`${from} ${to}`, count]),
    );
    return {
      atMs: performance.now(),
      all,
      regions,
      redirects: new Map(redirects),
      targets: new Map(Array.from(targets(), (target) => [targetKey(target), countsOfTarget(target)])),
    };
  }
}

function newCounts(): RegionCounts {
  return { requestCount: 0, errorCount: 0, buckets: new Float64Array(BUCKET_COUNT) };
}

function countsOfTarget({ traffic: { requestCount, errorCount, buckets } }: Target): Counts {
  return { requestCount, errorCount, buckets: Float64Array.from(buckets) };
}

function targetKey({ region, url }: Target): string {
  return `${region} ${url}`;
}

function add(sum: Float64Array, buckets: ArrayLike<number>): void {
  for (let index = 0; index < BUCKET_COUNT; index += 1) sum[index] = (sum[index] ?? 0) + (buckets[index] ?? 0);
}

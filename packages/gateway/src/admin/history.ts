/** Keeps the rates of the last 15 minutes by region, so that a page that is opened later shows the past. */
import type { History, Rates, Sample } from '@causeway/protocol/admin/model.ts';
import type { RateSampler } from './rates.ts';

/** One sample for each step; the sampler has one a second. */
const STEP_SECONDS = 5;
const KEPT_SAMPLES = (15 * 60) / STEP_SECONDS;

export interface HistorySources {
  rates: RateSampler;
  regions: () => readonly string[];
  /** Seconds since 1970. */
  nowSeconds?: () => number;
}

export class RateHistory {
  readonly #sources: HistorySources;
  readonly #samples: Sample[] = [];
  readonly #listeners = new Set<(sample: Sample) => void>();
  #secondCount = 0;

  constructor(sources: HistorySources) {
    this.#sources = sources;
    sources.rates.onSample(() => this.#tick());
  }

  /** Calls `listener` with every sample from now on, until the returned function is called. */
  subscribe(listener: (sample: Sample) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns columns. A region that did not exist at the time has `null`. */
  get columns(): History {
    const samples = this.#samples;
    const names = new Set(samples.flatMap(({ regions }) => Object.keys(regions)));
    const curve = (name: string, key: keyof Rates): (number | null)[] =>
      samples.map(({ regions }) => regions[name]?.[key] ?? null);
    return {
      stepMs: STEP_SECONDS * 1_000,
      atSeconds: samples.map(({ atSeconds }) => atSeconds),
      regions: Object.fromEntries(
        Array.from(names, (name) => [
          name,
          {
            requestsPerSecond: curve(name, 'requestsPerSecond'),
            errorsPerSecond: curve(name, 'errorsPerSecond'),
            p50Ms: curve(name, 'p50Ms'),
            p99Ms: curve(name, 'p99Ms'),
          },
        ]),
      ),
    };
  }

  #tick(): void {
    this.#secondCount += 1;
    if (this.#secondCount % STEP_SECONDS !== 0) return;
    const { rates, regions, nowSeconds = () => Math.round(Date.now() / 1_000) } = this.#sources;
    const sample: Sample = {
      atSeconds: nowSeconds(),
      regions: Object.fromEntries(regions().map((name) => [name, rates.ratesOf(name, STEP_SECONDS)])),
    };
    this.#samples.push(sample);
    if (this.#samples.length > KEPT_SAMPLES) this.#samples.shift();
    for (const listener of this.#listeners) listener(sample);
  }
}

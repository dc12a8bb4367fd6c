/** Counts the outcomes of a breaker's requests in a rolling window. The time is passed in. */

/** The window moves in steps of a tenth of its length. */
const BUCKETS = 10;

interface Bucket {
  /** The stretch of time that the counts belong to, numbered from the zero of the clock. */
  stretch: number;
  successes: number;
  failures: number;
}

export class OutcomeWindow {
  readonly #bucketMs: number;
  /** A ring: a new stretch takes the place of the one that left the window. */
  readonly #buckets: readonly Bucket[] = Array.from({ length: BUCKETS }, () => ({
    stretch: Number.NEGATIVE_INFINITY,
    successes: 0,
    failures: 0,
  }));

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  addSuccesses(count: number, nowMs: number): void {
    this.#bucketAt(nowMs).successes += count;
  }

  addFailure(nowMs: number): void {
    this.#bucketAt(nowMs).failures += 1;
  }

  /** Returns the number of requests that ended within the window, and of those that failed. */
  totals(nowMs: number): { requests: number; failures: number } {
    const oldest = this.#stretchAt(nowMs) - BUCKETS + 1;
    let requests = 0;
    let failures = 0;
    for (const bucket of this.#buckets) {
      if (bucket.stretch < oldest) continue;
      requests += bucket.successes + bucket.failures;
      failures += bucket.failures;
    }
    return { requests, failures };
  }

  #bucketAt(nowMs: number): Bucket {
    const stretch = this.#stretchAt(nowMs);
    const bucket = this.#buckets[stretch % BUCKETS] as Bucket;
    if (bucket.stretch !== stretch) {
      bucket.stretch = stretch;
      bucket.successes = 0;
      bucket.failures = 0;
    }
    return bucket;
  }

  #stretchAt(nowMs: number): number {
    return Math.floor(nowMs / this.#bucketMs);
  }
}

/** The retry budget: a share of the requests of the last ten seconds, and a constant. */

const WINDOW_SECONDS = 10;

export class RetryBudget {
  readonly #now: () => number;
  readonly #requests = new Uint32Array(WINDOW_SECONDS);
  readonly #retries = new Uint32Array(WINDOW_SECONDS);
  #second: number;
  /** Retries that were refused, since the start. */
  refusedCount = 0;

  /** `now` in milliseconds, never going back. */
  constructor(now: () => number) {
    this.#now = now;
    this.#second = Math.floor(now() / 1_000);
  }

  /** Counts a request that began at `nowMs`, a reading of `now`. */
  requested(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) this.#advance(second);
    const index = second % WINDOW_SECONDS;
    this.#requests[index] = (this.#requests[index] ?? 0) + 1;
  }

  /** Takes one retry if there is one left. */
  take({ budgetPercent, budgetMinRetries }: { budgetPercent: number; budgetMinRetries: number }): boolean {
    this.#advance(Math.floor(this.#now() / 1_000));
    if (sum(this.#retries) >= this.#allowed(budgetPercent, budgetMinRetries)) {
      this.refusedCount += 1;
      return false;
    }
    const index = this.#second % WINDOW_SECONDS;
    this.#retries[index] = (this.#retries[index] ?? 0) + 1;
    return true;
  }

  /** Retries that are left now. */
  remaining({ budgetPercent, budgetMinRetries }: { budgetPercent: number; budgetMinRetries: number }): number {
    this.#advance(Math.floor(this.#now() / 1_000));
    return Math.max(0, Math.floor(this.#allowed(budgetPercent, budgetMinRetries) - sum(this.#retries)));
  }

  /** Retries of the last ten seconds. */
  get usedCount(): number {
    this.#advance(Math.floor(this.#now() / 1_000));
    return sum(this.#retries);
  }

  #allowed(budgetPercent: number, budgetMinRetries: number): number {
    return budgetMinRetries + (sum(this.#requests) * budgetPercent) / 100;
  }

  #advance(second: number): void {
    const steps = Math.min(second - this.#second, WINDOW_SECONDS);
    for (let step = 1; step <= steps; step += 1) {
      const index = (this.#second + step) % WINDOW_SECONDS;
      this.#requests[index] = 0;
      this.#retries[index] = 0;
    }
    if (second > this.#second) this.#second = second;
  }
}

function sum(counts: Uint32Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

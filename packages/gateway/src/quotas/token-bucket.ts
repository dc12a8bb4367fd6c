/** A token bucket: it fills at a rate up to its size, and what is taken beyond its content is a debt. The time comes as an argument. */

export interface Rate {
  readonly perSecond: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
}

const MS_PER_SECOND = 1_000;
/** Rounding of the clock and of sums must not make a client wait that has waited long enough. */
const TOLERANCE_MS = 0.001;
/** One huge body shuts no client out for longer. */
export const MAX_DEBT_SECONDS = 3_600;

export class TokenBucket {
  #rate: Rate;
  #tokens: number;
  #atMs: number;

  /** Full. `nowMs` never goes back. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  /** What was taken so far stays taken. */
  configure(rate: Rate, nowMs: number): void {
    this.#fill(nowMs);
    this.#rate = rate;
    this.#tokens = Math.min(this.#tokens, rate.burst);
  }

  /** Tokens that may be taken now; negative: the debt. */
  tokens(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens;
  }

  /** Takes `count` tokens, also those that are not there. */
  take(count: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#tokens = Math.max(this.#tokens - count, -MAX_DEBT_SECONDS * this.#rate.perSecond);
  }

  /** How long until the bucket has a whole token; 0: it has one. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    const waitMs = ((1 - this.#tokens) * MS_PER_SECOND) / this.#rate.perSecond;
    return waitMs <= TOLERANCE_MS ? 0 : waitMs;
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= this.#rate.burst;
  }

  #fill(nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    this.#atMs = nowMs;
    this.#tokens = Math.min(burst, this.#tokens + (elapsedMs * perSecond) / MS_PER_SECOND);
  }
}

/** Rounded up, for `Retry-After`; an error of rounding adds no second. */
export function wholeSeconds(waitMs: number): number {
  return Math.ceil(Math.max(0, waitMs - TOLERANCE_MS) / MS_PER_SECOND);
}

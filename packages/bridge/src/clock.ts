/** Moments that were read off both clocks, because each of them misses something. */

/** One clock stands still with a suspended machine, the other can be set. */
export interface Instant {
  /** `performance.now()`. */
  monotonicMs: number;
  /** `Date.now()`. */
  wallMs: number;
}

/** Before everything. */
export const NEVER: Instant = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

export function readClocks(): Instant {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/** By the clock that says more. */
export function elapsedMs(from: Instant, to: Instant): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs);
}

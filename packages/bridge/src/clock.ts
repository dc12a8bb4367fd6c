/** Instants on both clocks of a process: the monotonic clock misses suspensions, and the wall clock can be set. */

/** The monotonic clock stops while a machine is suspended; the wall clock can be set. */
export interface Instant {
  /** `performance.now()`. */
  monotonicMs: number;
  /** `Date.now()`. */
  wallMs: number;
}

/** Before any other instant. */
export const NEVER: Instant = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

export function readClocks(): Instant {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/** The longer of the two times. */
export function elapsedMs(from: Instant, to: Instant): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs);
}

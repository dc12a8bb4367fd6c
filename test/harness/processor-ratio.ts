/**
 * Compares two pieces of work by the processor time that they take: other processes of the machine take a thread's turns away, but add
 * nothing to it. What they do add is lost caches, and the collector's turn may fall into one piece: hence the least of many rounds, in turns.
 */
import { expect } from 'vitest';

/** Rounds of one attempt. */
const ROUNDS = 3;
/** Work that takes too long does so in every attempt. */
const ATTEMPTS = 8;
/** A round of less is repeated within the round: the clock of a thread has a grain. */
const LEAST_ROUND_MS = 1;

export interface Compared {
  small: () => unknown;
  large: () => unknown;
  /** Of the failure. */
  what?: string;
}

/** Expects that `large` takes less than `ratio` times as long as `small`. */
export function expectRatioBelow(ratio: number, { small, large, what = 'the work' }: Compared): void {
  let [smallMs, largeMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let attempt = 0; attempt < ATTEMPTS && !(largeMs / smallMs < ratio); attempt += 1) {
    for (let round = 0; round < ROUNDS; round += 1) {
      smallMs = Math.min(smallMs, processorMs(small));
      largeMs = Math.min(largeMs, processorMs(large));
    }
  }
  expect(largeMs / smallMs, `${what}: ${smallMs} ms, and ${largeMs} ms for more of it`).toBeLessThan(ratio);
}

/** Processor time of this thread, per call. */
function processorMs(work: () => unknown): number {
  const startedAtMs = threadMs();
  let tookMs = 0;
  let callCount = 0;
  while (tookMs < LEAST_ROUND_MS) {
    work();
    callCount += 1;
    tookMs = threadMs() - startedAtMs;
  }
  return tookMs / callCount;
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

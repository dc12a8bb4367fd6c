/** Awaits a condition for which there is no event. */
import { setTimeout as delay } from 'node:timers/promises';

const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;
/** Of the time waited until now: a condition that costs a request takes no processor for seconds, and is seen hardly later. */
const PAUSE_RATIO = 0.05;

/** Polls `condition` until it holds, less often the longer it takes. Errors: after `timeoutMs` (default: 90,000: less than the time limit of a test), with `what` and the last error. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 90_000 }: { timeoutMs?: number } = {},
): Promise<void> {
  const startedAtMs = performance.now();
  const deadline = startedAtMs + timeoutMs;
  let lastError: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
    } catch (error) {
      lastError = error;
    }
    const pauseMs = PAUSE_RATIO * (performance.now() - startedAtMs);
    await delay(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pauseMs)));
  }
  throw new Error(`Not within ${timeoutMs} ms: ${what}`, { cause: lastError });
}

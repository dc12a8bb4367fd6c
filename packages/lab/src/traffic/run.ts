/** One run of a client beside a system: its lines, and whether it lost nothing. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumeOptions, ProduceOptions } from './arguments.ts';
import { startSteadyClient } from './steady-client.ts';
import { formatClientError, formatErrorCounts } from './steady-line.ts';

const LINE_INTERVAL_MS = 5_000;

export interface RunOptions {
  print: (line: string) => void;
  /** Ends the run. */
  signal: AbortSignal;
}

/** Returns the exit code. Errors: `badArguments`, if a file cannot be read. */
export async function runTraffic(
  options: ProduceOptions | ConsumeOptions,
  { print, signal }: RunOptions,
): Promise<0 | 1> {
  const startedAtMs = performance.now();
  let lastWaiting: string | undefined;
  const client = startSteadyClient(options, {
    now: () => performance.now(),
    onWaiting(error) {
      const line = `waiting: ${formatClientError(error)}`;
      if (line !== lastWaiting) print(line);
      lastWaiting = line;
    },
  });
  const elapsed = (): string => `${Math.round((performance.now() - startedAtMs) / 1_000)} s`;
  const lines = setInterval(() => print(`${elapsed()}  ${client.line()}`), LINE_INTERVAL_MS);
  try {
    await ended(options.seconds, signal);
  } finally {
    clearInterval(lines);
    await client.stop();
  }
  const fault = client.fault();
  print(`Result after ${elapsed()}: ${client.line()}`);
  for (const line of formatErrorCounts(client.errors)) print(line);
  print(fault ?? 'Nothing is missing.');
  return fault === undefined ? 0 : 1;
}

/** After so many seconds, or by the signal alone. */
async function ended(seconds: number | undefined, signal: AbortSignal): Promise<void> {
  const MAX_TIMER_MS = 2 ** 31 - 1;
  let leftMs = seconds === undefined ? Number.POSITIVE_INFINITY : seconds * 1_000;
  while (leftMs > 0 && !signal.aborted) {
    const partMs = Math.min(leftMs, MAX_TIMER_MS);
    await delay(partMs, undefined, { signal }).catch(() => {});
    leftMs -= partMs;
  }
}

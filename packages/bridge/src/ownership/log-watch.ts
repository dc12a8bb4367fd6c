/**
 * How long a bridge has read nothing new about a session. Durations are measured by this bridge's own monotonic clock, and only
 * while it could read the log: neither the clock of another machine, nor a time in which Kafka, this process or its machine was
 * stopped, makes an entry old.
 */
import type { LoggedEntry } from './session-entry.ts';

/** A time through which this bridge read the log without a break; both by `performance.now()`. */
export interface LogWatch {
  sinceMs: number;
  nowMs: number;
}

/**
 * The watch at `nowMs`. It starts again when the log could not be read since the last look, or when that look is longer ago than
 * `longestPauseMs`: then this process was stopped, and perhaps all others, too.
 */
export function watchAt(
  nowMs: number,
  last: LogWatch | undefined,
  { readableSinceMs, longestPauseMs }: { readableSinceMs: number; longestPauseMs: number },
): LogWatch {
  const hasPaused = last === undefined || nowMs - last.nowMs > longestPauseMs;
  const sinceMs = hasPaused ? nowMs : last.sinceMs;
  return { nowMs, sinceMs: Math.max(sinceMs, Math.min(readableSinceMs, nowMs)) };
}

/** How long this bridge has seen an entry unchanged, in milliseconds. */
export function ageMs({ readAtMs }: Pick<LoggedEntry, 'readAtMs'>, { sinceMs, nowMs }: LogWatch): number {
  return nowMs - Math.max(readAtMs, sinceMs);
}

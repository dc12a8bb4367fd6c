/** Which deleted sessions the session log forgets, and which bridge removes them. */
import type { Limits } from '../kafka/client/limits.ts';
import { ageMs, type LogWatch } from './log-watch.ts';
import type { LoggedEntry } from './session-entry.ts';
import type { SessionIndex } from './session-index.ts';

/** For how long the log remembers that a session was deleted: far longer than any write is on its way. */
export const DELETED_RETENTION_MS = 3_600_000;
/** How many such sessions it remembers; the oldest go first. Some megabytes of memory in every bridge. */
export const MAX_DELETED = 8192;
/**
 * However many there are: longer than a write of a claim can be late. A write that waited beyond its limits is not sent, and a
 * bridge that has not read the log lately reads it before it writes under a claim.
 */
export const MIN_DELETED_RETENTION_MS = 60_000;
/** With more of them, bridges create no consumers: clients do nothing but create and delete. */
export const MOST_DELETED = 131_072;

/** Which deleted sessions are to be forgotten. */
export interface Forgetting {
  isOld: (entry: LoggedEntry) => boolean;
  isOldEnough: (entry: LoggedEntry) => boolean;
  maxCount: number;
}

/** The session log, as far as forgetting needs it. */
export interface ForgettingLog {
  forgettable(forgetting: Forgetting): Iterable<LoggedEntry>;
  forget(entry: LoggedEntry, limits: Limits): Promise<unknown>;
}

/** Those that are `isOld`, or `isOldEnough` and beyond `maxCount` in all; the oldest first. */
export function* forgettableIn(
  indexes: readonly Pick<SessionIndex, 'deleted' | 'deletedCount'>[],
  { isOld, isOldEnough, maxCount }: Forgetting,
): IterableIterator<LoggedEntry> {
  const mostInPartition = Math.floor(maxCount / indexes.length);
  for (const index of indexes) {
    let surplus = index.deletedCount - mostInPartition;
    for (const entry of index.deleted()) {
      if (!isOld(entry) && (surplus <= 0 || !isOldEnough(entry))) break;
      surplus -= 1;
      yield entry;
    }
  }
}

/**
 * Removes the deleted sessions that are due. The bridge that deleted a session removes it; after twice the time, in case that
 * bridge is dead, any other. Never throws.
 */
export async function forgetOld(
  log: ForgettingLog,
  { self, watch, limits }: { self: string; watch: LogWatch; limits: Limits },
): Promise<void> {
  const olderThan = (limitMs: number) => (entry: LoggedEntry) => ageMs(entry, watch) > limitMs;
  const forgettable = (factor: number) =>
    log.forgettable({
      isOld: olderThan(factor * DELETED_RETENTION_MS),
      isOldEnough: olderThan(factor * MIN_DELETED_RETENTION_MS),
      maxCount: factor * MAX_DELETED,
    });
  const forgotten = new Set(forgettable(2));
  for (const entry of forgettable(1)) if (entry.value.owner === self) forgotten.add(entry);
  await Promise.all([...forgotten].map((entry) => log.forget(entry, limits)));
}

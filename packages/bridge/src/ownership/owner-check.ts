/** Asks in the session log whether the owner of a session lives: an owner that does writes its entry again. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Limits } from '../kafka/client/limits.ts';
import type { LoggedEntry } from './session-entry.ts';
import type { SessionLog } from './session-log.ts';

/** An owner that has not answered in the log for this long is gone; one that froze finds that it was replaced. */
const OWNER_TIMEOUT_MS = 1500;
const OWNER_POLL_MS = 20;

/**
 * Whether the owner of this entry is gone: false while that is not certain. `self`: the bridge that asks.
 * Errors: `kafkaUnavailable`.
 */
export async function isOwnerGone(
  { log, self }: { log: SessionLog; self: string },
  { identity, epoch, id }: LoggedEntry,
  limits: Limits,
): Promise<boolean> {
  const question = { epoch, id: `${id}?${randomUUID()}` };
  const asked = await log.append(identity, question, { state: 'asked', askedBy: self }, limits);
  if (asked.kind !== 'stored') return false;
  try {
    for (const untilMs = performance.now() + OWNER_TIMEOUT_MS; performance.now() < untilMs; ) {
      await delay(OWNER_POLL_MS);
      await log.readToEnd(limits);
      const entry = log.get(identity);
      if (entry === undefined || entry.id !== id || entry.offset > asked.offset) return false;
    }
    return true;
  } finally {
    log.removeDominatedLater(identity);
  }
}

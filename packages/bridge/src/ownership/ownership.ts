/**
 * A session's standing among all bridges. Nothing is done in its name unless Kafka has confirmed lately that it is this
 * bridge's (see `ownership.ts`); what it is goes into the session log, from which another bridge can take it over.
 */
import { BridgeError } from '../errors.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { SessionDescription } from './session-entry.ts';

export interface Ownership {
  /**
   * Waits until Kafka has confirmed lately that this bridge owns the session: nothing is committed, and no record
   * answered, without. Errors: `misdirected`, `consumerNotFound` when it was deleted elsewhere, `kafkaUnavailable`.
   */
  confirm(limits: Limits): Promise<void>;
  /** Asks for a confirmation that a {@link confirm} soon will need, without waiting for it. Never throws. */
  confirmAhead(): void;
  /**
   * Claims the session anew where its lease is far too long or too short for today's Kafka; `undefined` when it is not.
   * Errors: as {@link confirm}.
   */
  fit(limits: Limits): Promise<void> | undefined;
  /** Writes what the session is, so that another bridge can take it over. Errors: as {@link confirm}. */
  record(description: SessionDescription): Promise<void>;
}

/** Whether this bridge may answer and commit; not while nobody can tell. Errors: `misdirected`, `consumerNotFound`. */
export async function isOwned(ownership: Ownership, limits: Limits): Promise<boolean> {
  try {
    await ownership.confirm(limits);
    return true;
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'kafkaUnavailable') return false;
    throw error;
  }
}

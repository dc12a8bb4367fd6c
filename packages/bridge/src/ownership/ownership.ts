/**
 * What a session sees of the claim by which this bridge owns it. A session does nothing in its own name unless Kafka has
 * confirmed lately that the claim counts (see `rules.ts`), and writes what it is into the session log, from which another
 * bridge can adopt it.
 */
import { BridgeError } from '../errors.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { SessionDescription } from './session-entry.ts';
import type { SessionLife } from './session-life.ts';

export interface Ownership {
  readonly life: SessionLife;
  /**
   * Waits until Kafka has confirmed lately that this bridge owns the session. Without it, the session commits nothing
   * and sends no records. Errors: `misdirected`, `consumerNotFound` when it was deleted elsewhere, `kafkaUnavailable`.
   */
  confirm(limits: Limits): Promise<void>;
  /** Asks for a confirmation that a {@link confirm} soon will need, without waiting for it. Never throws. */
  confirmAhead(): void;
  /**
   * Claims the session again where its lease is far too long or too short for how quick Kafka is now; `undefined` when it is
   * not. Errors: as {@link confirm}.
   */
  fit(limits: Limits): Promise<void> | undefined;
  /** Writes what the session is, so that another bridge can adopt it. Errors: as {@link confirm}. */
  record(description: SessionDescription): Promise<void>;
  /** Kafka reported that another member has the session's place in its group. */
  onReplaced(): void;
}

/**
 * Throws once the session is over here. Errors: `consumerNotFound` for a deleted session; `misdirected` for one that lives
 * at another bridge.
 */
export function checkAlive({ life }: Pick<Ownership, 'life'>): void {
  if (life.kind === 'ended') throw new BridgeError('consumerNotFound');
  if (life.kind === 'released') throw new BridgeError('misdirected');
  if (life.kind === 'fenced') throw new BridgeError('misdirected', { owner: life.owner });
}

/** Whether this bridge may answer and commit. False while Kafka does not respond. Errors: as {@link Ownership.confirm}. */
export async function isOwned(ownership: Ownership, limits: Limits): Promise<boolean> {
  try {
    await ownership.confirm(limits);
    return true;
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'kafkaUnavailable') return false;
    throw error;
  }
}

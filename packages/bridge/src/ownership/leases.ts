/**
 * Confirms this bridge's claims: asks Kafka when the last confirmation is older than the lease, or soon will be. Knows whether a
 * lease still fits how quickly Kafka answers.
 */
import { readClocks } from '../clock.ts';
import type { ClusterGate } from '../cluster-gate.ts';
import { BridgeError } from '../errors.ts';
import { bounded, type Limits, remainingMs } from '../kafka/client/limits.ts';
import type { WonClaim } from './claims.ts';
import {
  currentClaimOf,
  decideHolding,
  type HoldingDecision,
  isConfirmationOld,
  isConfirmed,
  leaseMsFor,
  leaseMsOf,
  MIN_LEASE_MS,
} from './rules.ts';
import type { LoggedEntry } from './session-entry.ts';
import type { SessionLog } from './session-log.ts';

/** A lease that is this many times too short or too long is replaced. */
const LEASE_TOLERANCE = 2;
/** For this long after it was written, a lease does not become shorter. */
export const LEASE_SETTLE_MS = 3000;

export class Leases {
  readonly #log: SessionLog;
  readonly #gate: ClusterGate | undefined;

  /** `gate`: `undefined` while there is one cluster. */
  constructor(log: SessionLog, gate?: ClusterGate) {
    this.#log = log;
    this.#gate = gate;
  }

  /**
   * Whether this bridge still owns a session, by a confirmation that is not too old; asks Kafka if necessary. Called before
   * every response with records, once the records are there, and before every commit of a session that is not a member of
   * its group. Errors: `kafkaUnavailable` without a confirmation: then a response may have no records.
   */
  async confirm({ entry }: Pick<WonClaim, 'entry'>, limits: Limits): Promise<HoldingDecision> {
    // The bridge holds no session of an earlier term.
    const confirming = this.#gate?.confirm(this.#gate.term);
    if (confirming !== undefined) await bounded(confirming, limits);
    // Again, where the answer was read too late: the caller acts on it at once, without another await.
    while (!this.#isConfirmed(entry)) {
      if (remainingMs(limits) === 0) throw new BridgeError('kafkaUnavailable');
      await this.#log.readToEnd(limits);
    }
    if (this.#log.isLost(entry.identity)) {
      throw new BridgeError('kafkaUnavailable', { message: 'The session log was recreated, and lacks this consumer' });
    }
    return decideHolding(currentClaimOf(this.#log.get(entry.identity)), entry);
  }

  /**
   * Whether a claim needs another lease: Kafka now answers so slowly that no confirmation is fresh enough, or so quickly that
   * an adopter would wait for nothing. A lease does not become shorter at once, or it would follow every quiet or busy
   * moment. A claim that only a deleted log had is unfit, too.
   */
  isUnfit(entry: LoggedEntry): boolean {
    if (this.#log.isLost(entry.identity)) return true;
    const leaseMs = leaseMsOf(entry);
    const neededMs = leaseMsFor(this.#log.answerMs);
    if (neededMs > LEASE_TOLERANCE * leaseMs) return true;
    return neededMs * LEASE_TOLERANCE < leaseMs && isSettled(entry);
  }

  /** Measures Kafka's answers, where a lease could be shorter: a session without records asks nothing else. Does not wait. */
  measureAhead(entry: LoggedEntry): void {
    const isLong = leaseMsOf(entry) > LEASE_TOLERANCE * MIN_LEASE_MS;
    if (isLong && isSettled(entry)) this.#log.readAhead().catch(() => {});
  }

  /** Asks Kafka when a {@link confirm} would soon have to. Does not wait. */
  confirmAhead({ entry }: Pick<WonClaim, 'entry'>): void {
    if (!isConfirmationOld(this.#log.confirmedAt(entry.identity), readClocks(), leaseMsOf(entry))) return;
    // A caller that needs the confirmation asks again.
    this.#log.readAhead().catch(() => {});
  }

  /** {@link confirm} without asking. */
  #isConfirmed(entry: LoggedEntry): boolean {
    return isConfirmed(this.#log.confirmedAt(entry.identity), readClocks(), leaseMsOf(entry));
  }
}

function isSettled({ readAtMs }: LoggedEntry): boolean {
  return performance.now() - readAtMs > LEASE_SETTLE_MS;
}

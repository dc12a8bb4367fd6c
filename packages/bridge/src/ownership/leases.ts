/**
 * How long this bridge's claims count without a new word from Kafka, which is asked when the last one is older than the
 * lease, or soon will be; and whether a lease still suits how quick Kafka is.
 */
import { readClocks } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import { type Limits, remainingMs } from '../kafka/client/limits.ts';
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

/** A lease that is so many times too short or too long is replaced. */
const LEASE_TOLERANCE = 2;
/** No lease becomes shorter sooner after it was written. */
export const LEASE_SETTLE_MS = 3000;

export class Leases {
  readonly #log: SessionLog;

  constructor(log: SessionLog) {
    this.#log = log;
  }

  /**
   * Whether a session is still owned, by a word of Kafka that is not too old; asks if need be. To be called before every
   * answer with records, with the records in hand, and before every commit of a session that is no member of its group.
   * Errors: `kafkaUnavailable` when nobody can tell: then nothing may be answered but that there are no records.
   */
  async confirm({ entry }: Pick<WonClaim, 'entry'>, limits: Limits): Promise<HoldingDecision> {
    // Again, where the answer was looked at too late: whoever is told goes on at once, without awaiting anything.
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
   * Whether Kafka now answers so slowly that no confirmation of the claim is fresh enough, or so quickly that whoever takes
   * the session over would wait for nothing: it needs another lease. A shorter one not at once, or it would follow every
   * moment that is quiet or busy. Nor does a claim count that only a log before had.
   */
  isUnfit(entry: LoggedEntry): boolean {
    if (this.#log.isLost(entry.identity)) return true;
    const leaseMs = leaseMsOf(entry);
    const neededMs = leaseMsFor(this.#log.answerMs);
    if (neededMs > LEASE_TOLERANCE * leaseMs) return true;
    return neededMs * LEASE_TOLERANCE < leaseMs && isSettled(entry);
  }

  /** Asks Kafka how quick it is now, where a lease could be shorter: who has no records asks nothing else. Nobody waits. */
  measureAhead(entry: LoggedEntry): void {
    const isLong = leaseMsOf(entry) > LEASE_TOLERANCE * MIN_LEASE_MS;
    if (isLong && isSettled(entry)) this.#log.readAhead().catch(() => {});
  }

  /** Asks Kafka, when a {@link confirm} soon will have to; nobody waits. */
  confirmAhead({ entry }: Pick<WonClaim, 'entry'>): void {
    if (!isConfirmationOld(this.#log.confirmedAt(entry.identity), readClocks(), leaseMsOf(entry))) return;
    // Who needs it asks again.
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

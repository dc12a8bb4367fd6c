/**
 * This bridge's claims in the session log: written and read back, for the log's order decides which one won; kept up to date
 * as their sessions change; given up.
 */

import { randomUUID } from 'node:crypto';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { elapsedMs, readClocks } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import { type Limits, remainingMs } from '../kafka/client/limits.ts';
import { currentClaimOf, decideHolding, type HoldingDecision, hasWon, leaseMsFor } from './rules.ts';
import {
  type Claim,
  ENTRY_VERSION,
  type EntryValue,
  isCarriedOver,
  isSameClaim,
  type LoggedEntry,
  type SessionDescription,
} from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionLog } from './session-log.ts';

export interface ClaimsDependencies {
  log: SessionLog;
  /** This bridge, as `region/bridge`. */
  self: string;
  /** This process; see `instance` in the entries. */
  instance?: string;
  /** Sessions of this bridge that nobody uses for so long end. */
  inactivityTimeoutMs: number;
}

/** A claim of this bridge that won. Later calls need it, and return its successor. */
export interface WonClaim {
  entry: LoggedEntry;
  description: SessionDescription;
}

/** Another bridge has the session, or nobody. */
export type Loss = Exclude<HoldingDecision, { kind: 'keep' }>;
export type Written = { kind: 'written'; claim: WonClaim } | Loss;

/** A claim that won. */
export interface Win {
  entry: LoggedEntry;
  /** On the clock of `performance.now()`: by then, whoever asks Kafka learns of it. */
  storedAtMs: number;
}

/** What a claim says. */
export interface ClaimToWrite {
  identity: SessionIdentity;
  epoch: number;
  content: { state: 'held'; description: SessionDescription } | { state: 'deleted' };
  createdAtMs: number;
  /** Fields of a newer version that go on with the session. */
  inherited: Partial<EntryValue>;
  received?: string | undefined;
  limits: Limits;
}

/**
 * A log that was not read for so long may say since that a session is over, and may soon forget it (see
 * `MIN_DELETED_RETENTION_MS`): a process that stood still looks before it writes.
 */
const STALE_MS = 10_000;

export class Claims {
  readonly #dependencies: ClaimsDependencies;
  /** Those that are being written and read back. */
  readonly #claiming = new Set<string>();

  constructor(dependencies: ClaimsDependencies) {
    this.#dependencies = dependencies;
  }

  /** Writes a claim and reads it back; `undefined` when another one won. Errors: `kafkaUnavailable`, `kafkaRefused`. */
  async write(claim: ClaimToWrite): Promise<Win | undefined> {
    const ids = new Set<string>();
    try {
      return await this.#writeAs(ids, claim);
    } finally {
      for (const id of ids) this.#claiming.delete(id);
    }
  }

  /** Claims a session of its own anew, under the next epoch and with a lease for today. Errors: as {@link write}. */
  async claimAgain({ entry }: WonClaim, description: SessionDescription, limits: Limits): Promise<Written> {
    const { identity, epoch, value } = entry;
    const won = await this.write({
      identity,
      epoch: epoch + 1,
      limits,
      createdAtMs: value.createdAtMs,
      inherited: value,
      content: { state: 'held', description },
    });
    return won === undefined ? this.#lossOf(entry) : { kind: 'written', claim: { entry: won.entry, description } };
  }

  /** Writes what a session is now; to be called before its client is answered. Errors: as {@link write}. */
  async update(claim: WonClaim, description: SessionDescription, limits: Limits): Promise<Written> {
    const { log } = this.#dependencies;
    const { entry } = claim;
    const { identity } = entry;
    if (elapsedMs(log.confirmedAt(identity), readClocks()) > STALE_MS) {
      await log.readToEnd(limits);
      const decision = decideHolding(currentClaimOf(log.get(identity)), entry);
      if (decision.kind !== 'keep') return decision;
    }
    const value: EntryValue = { ...this.#sameClaim(entry), state: 'held', description };
    const outcome = await log.append(identity, entry, value, limits);
    switch (outcome.kind) {
      case 'refused':
        throw outcome.error;
      case 'unknown':
        // It may arrive after whatever comes next: what comes next is another claim.
        return await this.claimAgain(claim, description, limits);
      case 'stored':
        await log.readToEnd(limits);
        return this.#written(claim, description);
      default:
        return assertNever(outcome);
    }
  }

  /**
   * Writes a session again into a log that was made anew, and lacks it; whether it is there. If not, nothing more may be
   * written under this claim. Never throws.
   */
  async writeAgain({ entry }: WonClaim, description: SessionDescription, limits: Limits): Promise<boolean> {
    const value: EntryValue = { ...this.#sameClaim(entry), state: 'held', description };
    return (await this.#dependencies.log.append(entry.identity, entry, value, limits)).kind === 'stored';
  }

  /**
   * Gives a session up, after its last commit: the next bridge that is asked adopts it without a wait. It must not be
   * served any more. Never throws: a release that does not arrive makes the next adoption slower.
   */
  async release({ entry, description }: WonClaim, limits: Limits): Promise<void> {
    const value = { ...this.#sameClaim(entry), state: 'released' as const, description };
    const { log } = this.#dependencies;
    const outcome = await log.append(entry.identity, entry, value, limits);
    if (outcome.kind !== 'refused' || outcome.error.code !== 'sessionTooLarge') return;
    // Without positions that the client has yet to commit: it gets the records after the last commit again.
    await log.append(entry.identity, entry, { ...value, description: { ...description, seeks: [] } }, limits);
  }

  /** Ends a session for good. Errors: as {@link write}. */
  async delete({ entry }: Pick<WonClaim, 'entry'>, limits: Limits): Promise<{ kind: 'deleted' } | Loss> {
    const won = await this.write({
      identity: entry.identity,
      epoch: entry.epoch + 1,
      content: { state: 'deleted' },
      limits,
      createdAtMs: entry.value.createdAtMs,
      inherited: {},
    });
    return won === undefined ? this.#lossOf(entry) : { kind: 'deleted' };
  }

  /** What the log says of a session that is held, when it has changed. Claims that this bridge makes now are no loss. */
  decide(identity: SessionIdentity, holding: Claim): HoldingDecision {
    const entry = this.#dependencies.log.get(identity);
    if (entry !== undefined && this.#claiming.has(entry.id)) return { kind: 'keep' };
    return decideHolding(currentClaimOf(entry), holding);
  }

  async #writeAs(ids: Set<string>, claim: ClaimToWrite): Promise<Win | undefined> {
    const { identity, epoch, content, createdAtMs, inherited, received, limits } = claim;
    const { log, self, instance, inactivityTimeoutMs } = this.#dependencies;
    const { claimedAtOffset: _, received: __, ...kept } = inherited;
    const head = {
      version: ENTRY_VERSION,
      ...kept,
      owner: self,
      createdAtMs,
      writtenAtMs: Date.now(),
      leaseMs: leaseMsFor(log.answerMs),
      inactivityTimeoutMs,
      ...(instance === undefined ? {} : { instance }),
      ...(received === undefined ? {} : { received }),
    };
    while (true) {
      const id = randomUUID();
      ids.add(id);
      this.#claiming.add(id);
      const sentAt = readClocks();
      const outcome = await log.append(identity, { epoch, id }, { ...head, ...content } as EntryValue, limits);
      if (outcome.kind === 'refused') throw outcome.error;
      const appendedAtMs = performance.now();
      if (outcome.kind === 'stored') await log.readTo(identity, { offset: outcome.offset, sentAt }, limits);
      else await log.readToEnd(limits);
      const entry = log.get(identity);
      const isWon = hasWon(currentClaimOf(entry), ids);
      // Neither this one nor another has arrived: it may still, and then comes after the next.
      const isOpen = outcome.kind === 'unknown' && (entry === undefined || entry.epoch < epoch);
      // The log that had it was deleted.
      const isGone = entry !== undefined && (isWon ? isCarriedOver(entry) : entry.epoch < epoch);
      if ((isOpen || isGone) && remainingMs(limits) === 0) {
        throw outcome.kind === 'unknown' ? outcome.error : new BridgeError('kafkaUnavailable');
      }
      if (isOpen || isGone) continue;
      log.removeDominatedLater(identity);
      if (!isWon || entry === undefined) return undefined;
      // Of a write that was not answered nobody knows when it arrived: at the latest now.
      return { entry, storedAtMs: outcome.kind === 'stored' ? appendedAtMs : performance.now() };
    }
  }

  #written(claim: WonClaim, description: SessionDescription): Written {
    const entry = this.#dependencies.log.get(claim.entry.identity);
    const decision = decideHolding(currentClaimOf(entry), claim.entry);
    if (decision.kind !== 'keep' || entry === undefined) return this.#lossOf(claim.entry);
    return { kind: 'written', claim: { entry, description } };
  }

  #lossOf(claim: LoggedEntry): Loss {
    const decision = decideHolding(currentClaimOf(this.#dependencies.log.get(claim.identity)), claim);
    return decision.kind === 'keep' ? { kind: 'ended' } : decision;
  }

  /** The offset is that of the log as it is now, where the claim may be not yet, after the log was made anew. */
  #sameClaim(entry: LoggedEntry) {
    const logged = this.#dependencies.log.get(entry.identity);
    const { claimedAtOffset: _, ...kept } = { ...entry.value, writtenAtMs: Date.now() };
    const place = logged !== undefined && isSameClaim(logged, entry) ? logged : entry;
    if (isCarriedOver(place)) return kept;
    return { ...kept, claimedAtOffset: String(place.claimedAtOffset) };
  }
}

/**
 * Writes this bridge's claims to the session log, and reads them back: the log's order decides which claim won. Updates them as
 * their sessions change, and gives them up.
 */
import { randomUUID } from 'node:crypto';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { formatPromotion } from '@causeway/protocol/clusters.ts';
import { elapsedMs, readClocks } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import { type Limits, remainingMs } from '../kafka/client/limits.ts';
import type { ClusterPlace } from './cluster-place.ts';
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
  /** Sessions of this bridge without an operation for this long end. */
  inactivityTimeoutMs: number;
  /** `undefined` where there is one cluster. */
  place?: ClusterPlace | undefined;
}

/** A claim of this bridge that won, as it was written last. */
export interface WonClaim {
  entry: LoggedEntry;
  description: SessionDescription;
}

/** Why a claim is not current any more. */
export type Loss = Exclude<HoldingDecision, { kind: 'keep' }>;
export type Written = { kind: 'written'; claim: WonClaim } | Loss;

/** What this bridge knows of a claim that has just won. */
export interface Win {
  entry: LoggedEntry;
  /** By `performance.now()`: a bridge that asks Kafka from then on learns of the claim. */
  storedAtMs: number;
}

export interface ClaimToWrite {
  identity: SessionIdentity;
  epoch: number;
  content: { state: 'held'; description: SessionDescription } | { state: 'deleted' };
  createdAtMs: number;
  /** Fields of the previous entry, which newer versions may have added; of a new session, its principal. */
  inherited: Partial<EntryValue>;
  received?: string | undefined;
  /** See {@link OpenClaims}. Default: a new set, which is dropped. */
  open?: OpenClaims | undefined;
  limits: Limits;
}

/**
 * Ids of claims that one holder wrote, and of which it does not know yet whether they are in the log: writing one adds its id, and a
 * refusal removes it. Any of them may still become the current claim, and is the holder's then.
 */
export type OpenClaims = Set<string>;

/**
 * A log that was not read for this long may have the delete of a session, and may soon forget it (see
 * `MIN_DELETED_RETENTION_MS`): a process that was stopped reads before it writes.
 */
const STALE_MS = 10_000;

export class Claims {
  readonly #dependencies: ClaimsDependencies;
  /** Ids of claims that are being written and read back. */
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

  /**
   * Replaces a claim of this bridge by one of the next epoch, with a lease that fits now. One of `open` may have been before it: that
   * is updated then. Errors: as {@link write}.
   */
  async claimAgain(
    { entry }: WonClaim,
    description: SessionDescription,
    { open = new Set(), limits }: { open?: OpenClaims; limits: Limits },
  ): Promise<Written> {
    const { identity, epoch, value } = entry;
    const earlier = new Set(open);
    const won = await this.write({
      identity,
      epoch: epoch + 1,
      limits,
      createdAtMs: value.createdAtMs,
      inherited: value,
      content: { state: 'held', description },
      open,
    });
    if (won !== undefined) return { kind: 'written', claim: { entry: won.entry, description } };
    const late = this.lateOf(identity, earlier);
    return late === undefined ? this.#lossOf(entry) : await this.update(late, description, { open, limits });
  }

  /** Learns of every claim that Kafka has now. Errors: `kafkaUnavailable`. */
  async readToEnd(limits: Limits): Promise<void> {
    await this.#dependencies.log.readToEnd(limits);
  }

  /** The claim that is current, if it is one of `open`. */
  lateOf(identity: SessionIdentity, open: OpenClaims): WonClaim | undefined {
    const entry = this.#dependencies.log.get(identity);
    if (entry === undefined || entry.value.state !== 'held' || !open.has(entry.id)) return undefined;
    return { entry, description: entry.value.description };
  }

  /** Writes what a session is now, before its client gets the response. Errors: as {@link write}. */
  async update(
    claim: WonClaim,
    description: SessionDescription,
    { open = new Set(), limits }: { open?: OpenClaims; limits: Limits },
  ): Promise<Written> {
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
        // It may arrive later, after the next write: that must be another claim's.
        return await this.claimAgain(claim, description, { open, limits });
      case 'stored':
        await log.readToEnd(limits);
        return this.#written(claim, description);
      default:
        return assertNever(outcome);
    }
  }

  /**
   * Writes a session into a recreated log, which lacks it. Whether it is stored: if not, nothing more may be written under this
   * claim. Never throws.
   */
  async writeAgain({ entry }: WonClaim, description: SessionDescription, limits: Limits): Promise<boolean> {
    const value: EntryValue = { ...this.#sameClaim(entry), state: 'held', description };
    return (await this.#dependencies.log.append(entry.identity, entry, value, limits)).kind === 'stored';
  }

  /**
   * Gives up a session that is not served any more: the next bridge that gets a request adopts it without a wait. Never throws: a
   * release that does not arrive makes the next adoption slower.
   */
  async release({ entry, description }: WonClaim, limits: Limits): Promise<void> {
    const value = { ...this.#sameClaim(entry), state: 'released' as const, description };
    const { log } = this.#dependencies;
    const outcome = await log.append(entry.identity, entry, value, limits);
    if (outcome.kind !== 'refused' || outcome.error.code !== 'sessionTooLarge') return;
    // Without the positions that the client has not committed: it gets the records after the last commit again.
    await log.append(entry.identity, entry, { ...value, description: { ...description, seeks: [] } }, limits);
  }

  /** Deletes a session. Errors: as {@link write}. */
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

  /** Whether this bridge still holds a session, by the log. A claim that it is writing itself is not a loss. */
  decide(identity: SessionIdentity, holding: Claim): HoldingDecision {
    const entry = this.#dependencies.log.get(identity);
    if (entry !== undefined && this.#claiming.has(entry.id)) return { kind: 'keep' };
    return decideHolding(currentClaimOf(entry), holding);
  }

  async #writeAs(ids: Set<string>, claim: ClaimToWrite): Promise<Win | undefined> {
    const { identity, epoch, content, createdAtMs, inherited, received, open, limits } = claim;
    const { log, self, instance, inactivityTimeoutMs, place } = this.#dependencies;
    const { claimedAtOffset: _, received: __, promotion: ___, ...kept } = inherited;
    const promotion = place?.promotion;
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
      ...(promotion === undefined ? {} : { promotion: formatPromotion(promotion) }),
    };
    while (true) {
      const id = randomUUID();
      ids.add(id);
      this.#claiming.add(id);
      open?.add(id);
      const sentAt = readClocks();
      const outcome = await log.append(identity, { epoch, id }, { ...head, ...content } as EntryValue, limits);
      if (outcome.kind === 'refused') {
        open?.delete(id);
        throw outcome.error;
      }
      const appendedAtMs = performance.now();
      if (outcome.kind === 'stored') await log.readTo(identity, { offset: outcome.offset, sentAt }, limits);
      else await log.readToEnd(limits);
      const entry = log.get(identity);
      const isWon = hasWon(currentClaimOf(entry), ids);
      // Neither this claim nor another has arrived. It still may, and comes after the next one then.
      const isOpen = outcome.kind === 'unknown' && (entry === undefined || entry.epoch < epoch);
      // The log that had the claim was deleted.
      const isGone = entry !== undefined && (isWon ? isCarriedOver(entry) : entry.epoch < epoch);
      if ((isOpen || isGone) && remainingMs(limits) === 0) {
        throw outcome.kind === 'unknown' ? outcome.error : new BridgeError('kafkaUnavailable');
      }
      if (isOpen || isGone) continue;
      log.removeDominatedLater(identity);
      if (!isWon || entry === undefined) return undefined;
      // A write without an answer arrived at an unknown time, at the latest now.
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

  /** The value with the claim's offset in the log as it is now: a recreated log may not have the claim yet. */
  #sameClaim(entry: LoggedEntry) {
    const logged = this.#dependencies.log.get(entry.identity);
    const { claimedAtOffset: _, ...kept } = { ...entry.value, writtenAtMs: Date.now() };
    const place = logged !== undefined && isSameClaim(logged, entry) ? logged : entry;
    if (isCarriedOver(place)) return kept;
    return { ...kept, claimedAtOffset: String(place.claimedAtOffset) };
  }
}

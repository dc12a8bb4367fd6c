/** How this bridge comes to own sessions, and how it gives them up: claims written to the log, and read back. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readClocks } from '../clock.ts';
import { assertNever, BridgeError } from '../errors.ts';
import { bounded, type Limits, remainingMs, within } from '../kafka/limits.ts';
import {
  type Claim,
  ENTRY_VERSION,
  type EntryValue,
  type LoggedEntry,
  type SessionDescription,
  sessionKey,
} from '../kafka/session-entry.ts';
import { DELETED_RETENTION_MS, type SessionLog } from '../kafka/session-log.ts';
import {
  adoptionWaitMs,
  type CreateDecision,
  DEFAULT_LEASE_MS,
  decideCreate,
  decideHolding,
  decideRequest,
  type HoldingDecision,
  hasWon,
  isConfirmationOld,
  isConfirmed,
  leaseMsFor,
  MIN_LEASE_MS,
  type Origin,
  type Ownership,
  type RequestDecision,
} from './ownership.ts';
import type { SessionIdentity } from './session-identity.ts';

export interface AdoptionDependencies {
  log: SessionLog;
  /** This bridge, as `region/bridge`. */
  self: string;
  /** The claim with which a session is served here now. */
  holdingOf: (identity: SessionIdentity) => Claim | undefined;
  /** Sessions of this bridge that nobody uses for so long end. */
  inactivityTimeoutMs: number;
}

/** A claim of this bridge that won. Later calls need it, and return its successor. */
export interface OwnedClaim {
  entry: LoggedEntry;
  description: SessionDescription;
}

export interface SessionRequest {
  identity: SessionIdentity;
  origin: Origin;
  /** The mark of the last answer that the client has, where its gateway says so. */
  received?: string | undefined;
  limits: Limits;
}

/** Serves a session of a claim that won. */
export type Serve = (claim: OwnedClaim) => void;

/** A session that this bridge has claimed, and does not serve yet. */
export interface Successor {
  /** Settled when its group has it; what it throws is thrown by whoever asked. */
  joined: Promise<void>;
  /** `handedOver`: as the owner before described it at the end, if it still could. */
  serve(handedOver: SessionDescription | undefined): void;
  /** Another bridge has it. */
  abandon(): void;
}

/** Begins a session of a claim that won: it joins its group while the old owner's lease ends, and reads nothing yet. */
export type Succeed = (claim: OwnedClaim) => Successor;

/**
 * Parts of an adoption's time: the log read to its end, the claim written and read back, the rest of the old owner's lease,
 * and of the join, which begins with the wait.
 */
export const ADOPTION_STAGES = ['read', 'claim', 'wait', 'join'] as const;
export type AdoptionStage = (typeof ADOPTION_STAGES)[number];

/** What an adoption tells while it runs. */
export interface AdoptionProgress {
  /** The session is about to be claimed: what takes time and changes nothing may begin. */
  onClaiming?: (description: SessionDescription) => void;
  onStageEnded?: (stage: AdoptionStage) => void;
}

export type Admission = Exclude<RequestDecision, { kind: 'adopt' }>;
export type Creation = Exclude<CreateDecision, { kind: 'create' | 'takeOver' }> | { kind: 'created' };

/** Another bridge has the session, or nobody. */
export type Loss = Exclude<HoldingDecision, { kind: 'keep' }>;
export type Written = { kind: 'written'; claim: OwnedClaim } | Loss;

/** A claim that won. */
interface Won {
  entry: LoggedEntry;
  /** On the clock of `performance.now()`: by then, whoever asks Kafka learns of it. */
  storedAtMs: number;
}

/** What a claim says. */
interface ClaimToWrite {
  identity: SessionIdentity;
  epoch: number;
  content: { state: 'held'; description: SessionDescription } | { state: 'deleted' };
  createdAtMs: number;
  /** Fields of a newer version that go on with the session. */
  inherited: Partial<EntryValue>;
  received?: string | undefined;
  limits: Limits;
}

/** An owner that has not answered in the log for this long is gone; one that froze finds that it was replaced. */
const OWNER_TIMEOUT_MS = 1500;
const OWNER_POLL_MS = 20;
/** A lease that is so many times too short or too long is replaced. */
const LEASE_TOLERANCE = 2;
/** No lease becomes shorter sooner after it was written. */
export const LEASE_SETTLE_MS = 3000;
/** Well within the shortest lease, and longer than Kafka's answer usually takes. */
const ASK_AHEAD_MS = 10;

export class Adoption {
  readonly #dependencies: AdoptionDependencies;
  /** By session: what runs now. One claim at a time; whoever comes meanwhile decides anew after it. */
  readonly #running = new Map<string, Promise<unknown>>();
  /** Claims that are being written and read back. */
  readonly #claiming = new Set<string>();
  /** By session: ends the wait of the claim that runs. */
  readonly #handovers = new Map<string, () => void>();

  constructor(dependencies: AdoptionDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Settles who serves a request for a session; adopts it if that is this bridge: then its successor serves it.
   * Errors: `kafkaUnavailable`, `kafkaRefused`, and those of the successor's join.
   */
  async admit(request: SessionRequest, succeed: Succeed, progress: AdoptionProgress = {}): Promise<Admission> {
    const { holdingOf, log } = this.#dependencies;
    const { identity, limits } = request;
    const holding = holdingOf(identity);
    if (holding !== undefined && this.decide(identity, holding).kind === 'keep') return { kind: 'serve' };
    return await this.#alone(identity, async () => {
      for (let hasLost = false; ; hasLost = true) {
        await log.readToEnd(limits);
        const entry = log.get(identity);
        const decision = decideRequest(this.#situation(request, entry, hasLost));
        if (decision.kind !== 'adopt') return decision;
        if (entry === undefined || entry.value.state === 'deleted') return { kind: 'notFound' };
        const { description, createdAtMs, adoptionCount = 0 } = entry.value;
        const inherited = { ...entry.value, adoptionCount: adoptionCount + 1 };
        progress.onStageEnded?.('read');
        progress.onClaiming?.(description);
        const won = await this.#claim({
          ...{ identity, epoch: decision.epoch, createdAtMs, limits, inherited, received: request.received },
          content: { state: 'held', description },
        });
        progress.onStageEnded?.('claim');
        if (won === undefined || (await this.confirm(won, limits)).kind !== 'keep') continue;
        const successor = succeed({ entry: won.entry, description });
        if (!(await this.#hasSucceeded(successor, { superseded: entry, won, limits }, progress))) continue;
        successor.serve(this.#handedOver(entry));
        return { kind: 'serve' };
      }
    });
  }

  /** Whether the claim still counts when the old owner's lease is over and the group has the member; else it is abandoned. */
  async #hasSucceeded(
    successor: Successor,
    { superseded, won, limits }: { superseded: LoggedEntry; won: Won; limits: Limits },
    { onStageEnded }: AdoptionProgress,
  ): Promise<boolean> {
    // Looked at after the wait.
    successor.joined.catch(() => {});
    let hasSucceeded = false;
    try {
      if (!(await this.#waitFor(superseded, won, limits))) return false;
      onStageEnded?.('wait');
      await successor.joined;
      onStageEnded?.('join');
      hasSucceeded = true;
      return true;
    } finally {
      if (!hasSucceeded) successor.abandon();
    }
  }

  /** Creates a session, or begins one anew whose owner is dead. Errors: as {@link admit}, without a join. */
  async create(request: SessionRequest, description: SessionDescription, serve: Serve): Promise<Creation> {
    const { log } = this.#dependencies;
    const { identity, limits } = request;
    return await this.#alone(identity, async () => {
      for (let hasLost = false; ; hasLost = true) {
        await log.readToEnd(limits);
        let entry = log.get(identity);
        let decision = decideCreate(this.#situation(request, entry, hasLost));
        if (decision.kind === 'alreadyExists' && entry !== undefined && (await this.#isOwnerGone(entry, limits))) {
          const gone = entry.id;
          entry = log.get(identity);
          decision = decideCreate({ ...this.#situation(request, entry, hasLost), isOwnerGone: entry?.id === gone });
        }
        if (decision.kind !== 'create' && decision.kind !== 'takeOver') return decision;
        const won = await this.#claim({
          ...{ identity, epoch: decision.epoch, limits, createdAtMs: Date.now(), inherited: {} },
          content: { state: 'held', description },
        });
        if (won === undefined || !(await this.#waitFor(entry, won, limits))) continue;
        serve({ entry: won.entry, description });
        return { kind: 'created' };
      }
    });
  }

  /** Writes what a session is now; to be called before its client is answered. Errors: as {@link create}. */
  async update(claim: OwnedClaim, description: SessionDescription, limits: Limits): Promise<Written> {
    const { log } = this.#dependencies;
    const { entry } = claim;
    const { identity } = entry;
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
   * Gives a session up, after its last commit: the next bridge that is asked adopts it without a wait. It must not be
   * served any more. Never throws: a release that does not arrive makes the next adoption slower.
   */
  async release({ entry, description }: OwnedClaim, limits: Limits): Promise<void> {
    const value: EntryValue = { ...this.#sameClaim(entry), state: 'released', description };
    await this.#dependencies.log.append(entry.identity, entry, value, limits);
  }

  /** Ends a session for good. Errors: as {@link update}. */
  async delete({ entry }: Pick<OwnedClaim, 'entry'>, limits: Limits): Promise<{ kind: 'deleted' } | Loss> {
    const won = await this.#claim({
      ...{ identity: entry.identity, epoch: entry.epoch + 1, content: { state: 'deleted' }, limits },
      ...{ createdAtMs: entry.value.createdAtMs, inherited: {} },
    });
    return won === undefined ? this.#lossOf(entry) : { kind: 'deleted' };
  }

  /**
   * Whether a session is still owned, by a word of Kafka that is not too old; asks if need be. To be called before every
   * answer with records, with the records in hand, and before every commit of a session that is no member of its group.
   * Errors: `kafkaUnavailable` when nobody can tell: then nothing may be answered but that there are no records.
   */
  async confirm({ entry }: Pick<OwnedClaim, 'entry'>, limits: Limits): Promise<HoldingDecision> {
    const { log } = this.#dependencies;
    // Again, where the answer was looked at too late: whoever is told goes on at once, without awaiting anything.
    while (!this.isConfirmed(entry)) {
      if (remainingMs(limits) === 0) throw new BridgeError('kafkaUnavailable');
      await log.readToEnd(limits);
    }
    return decideHolding(ownershipOf(log.get(entry.identity)), entry);
  }

  /**
   * Whether Kafka now answers so slowly that no confirmation of the claim is fresh enough, or so quickly that whoever takes
   * the session over would wait for nothing: it needs another lease. A shorter one not at once, or it would follow every
   * moment that is quiet or busy.
   */
  isLeaseUnfit(entry: LoggedEntry): boolean {
    const leaseMs = leaseMsOf(entry);
    const neededMs = leaseMsFor(this.#dependencies.log.answerMs);
    if (neededMs > LEASE_TOLERANCE * leaseMs) return true;
    return neededMs * LEASE_TOLERANCE < leaseMs && isSettled(entry);
  }

  /** Asks Kafka how quick it is now, where a lease could be shorter: who has no records asks nothing else. Nobody waits. */
  measureAhead(entry: LoggedEntry): void {
    const isLong = leaseMsOf(entry) > LEASE_TOLERANCE * MIN_LEASE_MS;
    if (isLong && isSettled(entry)) this.#dependencies.log.readAhead().catch(() => {});
  }

  /** Asks Kafka, when a {@link confirm} soon will have to; nobody waits. */
  confirmAhead({ entry }: Pick<OwnedClaim, 'entry'>): void {
    const { log } = this.#dependencies;
    if (!isConfirmationOld(log.confirmedAt(entry.identity), readClocks(), leaseMsOf(entry))) return;
    // Who needs it asks again.
    log.readAhead().catch(() => {});
  }

  /** What the log says of a session that is held, when it has changed. Claims that this bridge makes now are no loss. */
  decide(identity: SessionIdentity, holding: Claim): HoldingDecision {
    const entry = this.#dependencies.log.get(identity);
    if (entry !== undefined && this.#claiming.has(entry.id)) return { kind: 'keep' };
    return decideHolding(ownershipOf(entry), holding);
  }

  /** The owner of a claim that was superseded gave the session up. */
  onHandedOver(identity: SessionIdentity): void {
    const { log, holdingOf } = this.#dependencies;
    this.#handovers.get(sessionKey(identity))?.();
    if (holdingOf(identity) !== undefined) log.removeDominatedLater(identity);
  }

  /** {@link confirm} without asking. */
  isConfirmed(entry: LoggedEntry): boolean {
    return isConfirmed(this.#dependencies.log.confirmedAt(entry.identity), readClocks(), leaseMsOf(entry));
  }

  /** Removes the last word on sessions that ended long ago. */
  async forgetOld(nowMs: number, limits: Limits): Promise<void> {
    const { log } = this.#dependencies;
    const old = [...log.entries()].filter(
      ({ value, timestampMs }) => value.state === 'deleted' && nowMs - timestampMs > DELETED_RETENTION_MS,
    );
    await Promise.all(old.map((entry) => log.forget(entry, limits)));
  }

  /** Writes a claim and reads it back; `undefined` when another one won. */
  async #claim(claim: ClaimToWrite): Promise<Won | undefined> {
    const ids = new Set<string>();
    try {
      return await this.#claimAs(ids, claim);
    } finally {
      for (const id of ids) this.#claiming.delete(id);
    }
  }

  async #claimAs(ids: Set<string>, claim: ClaimToWrite): Promise<Won | undefined> {
    const { identity, epoch, content, createdAtMs, inherited, received, limits } = claim;
    const { log, self, inactivityTimeoutMs } = this.#dependencies;
    const { claimedAtOffset: _, received: __, ...kept } = inherited;
    const head = {
      ...{ version: ENTRY_VERSION, ...kept, owner: self, createdAtMs, writtenAtMs: Date.now() },
      ...{ leaseMs: leaseMsFor(log.answerMs), inactivityTimeoutMs },
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
      const isWon = hasWon(ownershipOf(entry), ids);
      // Neither this one nor another has arrived: it may still, and then comes after the next.
      const isOpen = outcome.kind === 'unknown' && (entry === undefined || entry.epoch < epoch);
      if (isOpen && remainingMs(limits) === 0) throw outcome.error;
      if (isOpen) continue;
      log.removeDominatedLater(identity);
      if (!isWon || entry === undefined) return undefined;
      // Of a write that was not answered nobody knows when it arrived: at the latest now.
      return { entry, storedAtMs: outcome.kind === 'stored' ? appendedAtMs : performance.now() };
    }
  }

  /** Claims a session of its own anew, under the next epoch and with a lease for today. Errors: as {@link update}. */
  async claimAgain({ entry }: OwnedClaim, description: SessionDescription, limits: Limits): Promise<Written> {
    const { identity, epoch, value } = entry;
    const won = await this.#claim({
      ...{ identity, epoch: epoch + 1, limits, createdAtMs: value.createdAtMs, inherited: value },
      content: { state: 'held', description },
    });
    return won === undefined ? this.#lossOf(entry) : { kind: 'written', claim: { entry: won.entry, description } };
  }

  /** Lets an old owner notice, or hand over at once; whether the claim is the one that counts after that. */
  async #waitFor(superseded: LoggedEntry | undefined, won: Won, limits: Limits): Promise<boolean> {
    const waitMs = won.storedAtMs + adoptionWaitMs(ownershipOf(superseded)) - performance.now();
    if (superseded !== undefined && waitMs > 0) {
      const { log } = this.#dependencies;
      const aheadMs = Math.min(waitMs, ASK_AHEAD_MS);
      await this.#untilHandedOver(superseded, within(waitMs - aheadMs, limits.signal));
      // The word that it may join is there when the wait is over.
      log.readToEnd(limits).catch(() => {});
      await this.#untilHandedOver(superseded, within(aheadMs, limits.signal));
    }
    return (await this.confirm(won, limits)).kind === 'keep';
  }

  /** Waits until the owner of a superseded claim gives the session up, or until the limits are over. Never throws. */
  async #untilHandedOver(superseded: LoggedEntry, limits: Limits): Promise<void> {
    if (this.#handedOver(superseded) !== undefined) return;
    const key = sessionKey(superseded.identity);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#handovers.set(key, resolve);
    await bounded(promise, limits).catch(() => {});
    this.#handovers.delete(key);
  }

  /** What the owner of a superseded claim says of the session when it gave that up. */
  #handedOver(superseded: LoggedEntry | undefined): SessionDescription | undefined {
    if (superseded === undefined) return undefined;
    const value = this.#dependencies.log.handedOver(superseded.identity, superseded)?.value;
    return value === undefined || value.state === 'deleted' ? undefined : value.description;
  }

  #written(claim: OwnedClaim, description: SessionDescription): Written {
    const entry = this.#dependencies.log.get(claim.entry.identity);
    const decision = decideHolding(ownershipOf(entry), claim.entry);
    if (decision.kind !== 'keep' || entry === undefined) return this.#lossOf(claim.entry);
    return { kind: 'written', claim: { entry, description } };
  }

  #lossOf(claim: LoggedEntry): Loss {
    const decision = decideHolding(ownershipOf(this.#dependencies.log.get(claim.identity)), claim);
    return decision.kind === 'keep' ? { kind: 'ended' } : decision;
  }

  #sameClaim({ value, claimedAtOffset }: LoggedEntry) {
    return { ...value, claimedAtOffset: String(claimedAtOffset), writtenAtMs: Date.now() };
  }

  /**
   * Asks an owner in the log whether it lives: one that does writes its entry again. What is not certain counts as alive.
   * Errors: `kafkaUnavailable`.
   */
  async #isOwnerGone({ identity, epoch, id }: LoggedEntry, limits: Limits): Promise<boolean> {
    const { log, self, holdingOf } = this.#dependencies;
    if (holdingOf(identity) !== undefined) return false;
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

  #situation({ identity, origin }: SessionRequest, entry: LoggedEntry | undefined, hasLost: boolean) {
    const { self, holdingOf } = this.#dependencies;
    return {
      ...{ self, origin, hasLost, entry: ownershipOf(entry), holding: holdingOf(identity) },
      isOwnerGone: false,
    };
  }

  /** One after another for each session. */
  async #alone<T>(identity: SessionIdentity, run: () => Promise<T>): Promise<T> {
    const key = sessionKey(identity);
    const before = this.#running.get(key) ?? Promise.resolve();
    const result = before.then(run, run);
    const settled = result.catch(() => {});
    this.#running.set(key, settled);
    void settled.then(() => {
      if (this.#running.get(key) === settled) this.#running.delete(key);
    });
    return await result;
  }
}

/** An entry, as far as ownership goes. */
export function ownershipOf(entry: LoggedEntry | undefined): Ownership | undefined {
  if (entry === undefined) return undefined;
  const { epoch, id, value } = entry;
  return { epoch, id, owner: value.owner, state: value.state, leaseMs: leaseMsOf(entry) };
}

function isSettled({ value }: LoggedEntry): boolean {
  return Date.now() - value.writtenAtMs > LEASE_SETTLE_MS;
}

/** Bridges of older versions do not say. */
function leaseMsOf({ value }: LoggedEntry): number {
  return value.leaseMs ?? DEFAULT_LEASE_MS;
}

/**
 * How this bridge comes to own sessions: who serves a request is settled from the log; a claim is made where that is to be
 * this bridge, and waits until the owner before has given the session up, or cannot believe any more that it owns it.
 */
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import type { Claims, Win, WonClaim } from './claims.ts';
import type { Leases } from './leases.ts';
import { isOwnerGone } from './owner-check.ts';
import {
  adoptionWaitMs,
  type CreateDecision,
  currentClaimOf,
  decideCreate,
  decideRequest,
  type Origin,
  type RequestDecision,
} from './rules.ts';
import { type Claim, type LoggedEntry, type SessionDescription, sessionKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionLog } from './session-log.ts';

export interface AdoptionDependencies {
  log: SessionLog;
  /** This bridge, as `region/bridge`. */
  self: string;
  /** The claim with which a session is served here now. */
  holdingOf: (identity: SessionIdentity) => Claim | undefined;
  claims: Claims;
  leases: Leases;
}

export interface SessionRequest {
  identity: SessionIdentity;
  origin: Origin;
  /** The mark of the last answer that the client has, where its gateway says so. */
  received?: string | undefined;
  limits: Limits;
}

/** Serves a session of a claim that won. */
export type Serve = (claim: WonClaim) => void;

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
export type Succeed = (claim: WonClaim) => Successor;

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

/** Well within the shortest lease, and longer than Kafka's answer usually takes. */
const ASK_AHEAD_MS = 10;

export class Adoption {
  readonly #dependencies: AdoptionDependencies;
  /** By session: what runs now. One claim at a time; whoever comes meanwhile decides anew after it. */
  readonly #running = new Map<string, Promise<unknown>>();
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
    const { holdingOf, log, claims, leases } = this.#dependencies;
    const { identity, limits } = request;
    const holding = holdingOf(identity);
    if (holding !== undefined && claims.decide(identity, holding).kind === 'keep') return { kind: 'serve' };
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
        const won = await claims.write({
          identity,
          epoch: decision.epoch,
          createdAtMs,
          limits,
          inherited,
          received: request.received,
          content: { state: 'held', description },
        });
        progress.onStageEnded?.('claim');
        if (won === undefined || (await leases.confirm(won, limits)).kind !== 'keep') continue;
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
    { superseded, won, limits }: { superseded: LoggedEntry; won: Win; limits: Limits },
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
    const { log, claims } = this.#dependencies;
    const { identity, limits } = request;
    return await this.#alone(identity, async () => {
      for (let hasLost = false; ; hasLost = true) {
        await log.readToEnd(limits);
        let entry = log.get(identity);
        let decision = decideCreate(this.#situation(request, entry, hasLost));
        if (decision.kind === 'alreadyExists' && entry !== undefined && (await this.isOwnerGone(entry, limits))) {
          const gone = entry.id;
          entry = log.get(identity);
          decision = decideCreate({ ...this.#situation(request, entry, hasLost), isOwnerGone: entry?.id === gone });
        }
        if (decision.kind !== 'create' && decision.kind !== 'takeOver') return decision;
        const won = await claims.write({
          identity,
          epoch: decision.epoch,
          limits,
          createdAtMs: Date.now(),
          inherited: {},
          content: { state: 'held', description },
        });
        if (won === undefined || !(await this.#waitFor(entry, won, limits))) continue;
        serve({ entry: won.entry, description });
        return { kind: 'created' };
      }
    });
  }

  /** The owner of a claim that was superseded gave the session up. */
  onHandedOver(identity: SessionIdentity): void {
    const { log, holdingOf } = this.#dependencies;
    this.#handovers.get(sessionKey(identity))?.();
    if (holdingOf(identity) !== undefined) log.removeDominatedLater(identity);
  }

  /** Lets an old owner notice, or hand over at once; whether the claim is the one that counts after that. */
  async #waitFor(superseded: LoggedEntry | undefined, won: Win, limits: Limits): Promise<boolean> {
    const waitMs = won.storedAtMs + adoptionWaitMs(currentClaimOf(superseded)) - performance.now();
    if (superseded !== undefined && waitMs > 0) {
      const { log } = this.#dependencies;
      const aheadMs = Math.min(waitMs, ASK_AHEAD_MS);
      await this.#untilHandedOver(superseded, within(waitMs - aheadMs, limits.signal));
      // The word that it may join is there when the wait is over.
      log.readToEnd(limits).catch(() => {});
      await this.#untilHandedOver(superseded, within(aheadMs, limits.signal));
    }
    return (await this.#dependencies.leases.confirm(won, limits)).kind === 'keep';
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

  /** Whether an owner does not answer in the log. Errors: `kafkaUnavailable`. */
  async isOwnerGone(entry: LoggedEntry, limits: Limits): Promise<boolean> {
    const { holdingOf } = this.#dependencies;
    return holdingOf(entry.identity) === undefined && (await isOwnerGone(this.#dependencies, entry, limits));
  }

  #situation({ identity, origin }: SessionRequest, entry: LoggedEntry | undefined, hasLost: boolean) {
    const { self, holdingOf } = this.#dependencies;
    return {
      self,
      origin,
      hasLost,
      entry: currentClaimOf(entry),
      holding: holdingOf(identity),
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

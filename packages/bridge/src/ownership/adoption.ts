/**
 * Decides from the log which bridge serves a request. If this bridge is to adopt the session, it claims it, and waits until the
 * previous owner has given it up, or has no valid confirmation any more.
 */
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { belongsTo } from './belonging.ts';
import type { Claims, Win, WonClaim } from './claims.ts';
import type { ClusterPlace } from './cluster-place.ts';
import type { Leases } from './leases.ts';
import { isOwnerGone } from './owner-check.ts';
import { PrincipalSessions } from './principal-sessions.ts';
import {
  adoptionWaitMs,
  type CreateDecision,
  currentClaimOf,
  decideCreate,
  decideRequest,
  type Origin,
  type RequestDecision,
} from './rules.ts';
import { isOfOtherCluster, type LoggedEntry, type SessionDescription, sessionKey } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionLog } from './session-log.ts';

export interface AdoptionDependencies {
  log: SessionLog;
  /** This bridge, as `region/bridge`. */
  self: string;
  /** The claim by which this bridge holds a session now. */
  holdingOf: (identity: SessionIdentity) => LoggedEntry | undefined;
  claims: Claims;
  leases: Leases;
  /** `undefined` where there is one cluster. */
  place?: ClusterPlace | undefined;
}

export interface SessionRequest {
  identity: SessionIdentity;
  origin: Origin;
  /** Who asks; `undefined`: anonymous. */
  principal: string | undefined;
  /** The mark of the last response that the client has, where its gateway reports it. */
  received?: string | undefined;
  /** To create one: sessions that the principal may have in the whole system. Default: any number. */
  maxSessions?: number | undefined;
  limits: Limits;
}

export type Serve = (claim: WonClaim) => void;

/** A session that this bridge has claimed, and does not serve yet. */
export interface Successor {
  /** Settles when the group has the member. A rejection fails the adoption. */
  joined: Promise<void>;
  /** `handedOver`: the previous owner's last description, if it handed the session over. */
  serve(handedOver: SessionDescription | undefined): void;
  /** Another bridge owns the session. */
  abandon(): void;
}

/** Begins a session of a claim that won: it joins its group while the old owner's lease ends, and reads nothing yet. */
export type Succeed = (claim: WonClaim) => Successor;

/**
 * Parts of an adoption's time: the log is read to its end; the claim is written and read back; the old owner's lease ends; the
 * rest of the join, which begins with the wait.
 */
export const ADOPTION_STAGES = ['read', 'claim', 'wait', 'join'] as const;
export type AdoptionStage = (typeof ADOPTION_STAGES)[number];

/** An old owner that can do nothing any more, with its last description if it handed the session over. */
interface Succession {
  handedOver: SessionDescription | undefined;
}

/** Reports of an adoption that runs. */
export interface AdoptionProgress {
  /** The session is about to be claimed: preparations that change nothing may begin. */
  onClaiming?: (description: SessionDescription) => void;
  onStageEnded?: (stage: AdoptionStage) => void;
}

export type Admission =
  | Exclude<RequestDecision, { kind: 'adopt' }>
  /** The session belongs to another principal. */
  | { kind: 'forbidden' };
export type Creation =
  | Exclude<CreateDecision, { kind: 'create' | 'replace' }>
  | { kind: 'created' }
  /** The session belongs to another principal. */
  | { kind: 'forbidden' }
  /** The principal has as many as it may have. */
  | { kind: 'tooMany' };

/** How long before the end of the wait Kafka is asked: well within the shortest lease, and longer than an answer usually takes. */
const ASK_AHEAD_MS = 10;

export class Adoption {
  readonly #dependencies: AdoptionDependencies;
  /** By session: the adoption or creation that runs now. Requests that come meanwhile decide again after it. */
  readonly #running = new Map<string, Promise<unknown>>();
  /** By session: ends the wait of the claim that runs. */
  readonly #handovers = new Map<string, () => void>();
  readonly #principalSessions: PrincipalSessions;

  constructor(dependencies: AdoptionDependencies) {
    this.#dependencies = dependencies;
    this.#principalSessions = new PrincipalSessions(dependencies.log);
  }

  /**
   * Decides which bridge serves a request for a session, and adopts it if that is to be this one: then its successor serves it.
   * Errors: `kafkaUnavailable`, `kafkaRefused`, and those of the successor's join.
   */
  async admit(request: SessionRequest, succeed: Succeed, progress: AdoptionProgress = {}): Promise<Admission> {
    const { holdingOf, log, claims, leases } = this.#dependencies;
    const { identity, limits } = request;
    const holding = holdingOf(identity);
    const isServing = holding !== undefined && claims.decide(identity, holding).kind === 'keep';
    if (isServing && belongsTo(holding, request.principal)) return { kind: 'serve' };
    if (await this.#isOthers(request)) return { kind: 'forbidden' };
    return await this.#alone(identity, async () => {
      for (let hasLost = false; ; hasLost = true) {
        await log.readToEnd(limits);
        const entry = log.get(identity);
        if (entry !== undefined && !belongsTo(entry, request.principal)) return { kind: 'forbidden' };
        const decision = decideRequest(this.#situation(request, entry, hasLost));
        if (decision.kind !== 'adopt') return decision;
        if (entry === undefined || entry.value.state === 'deleted') return { kind: 'notFound' };
        const { createdAtMs, adoptionCount = 0 } = entry.value;
        const description = await this.#descriptionHere(entry, entry.value.description, limits);
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
        const succession = await this.#succeeded(successor, { superseded: entry, won, limits }, progress);
        if (succession === undefined) continue;
        successor.serve(succession.handedOver);
        return { kind: 'serve' };
      }
    });
  }

  /** Whether the claim is still current when the old owner's lease is over and the group has the member; abandons it otherwise. */
  async #succeeded(
    successor: Successor,
    { superseded, won, limits }: { superseded: LoggedEntry; won: Win; limits: Limits },
    { onStageEnded }: AdoptionProgress,
  ): Promise<Succession | undefined> {
    // Awaited after the wait.
    successor.joined.catch(() => {});
    let hasSucceeded = false;
    try {
      const waited = await this.#waitFor(superseded, won, limits);
      if (waited === undefined) return undefined;
      onStageEnded?.('wait');
      await successor.joined;
      onStageEnded?.('join');
      hasSucceeded = true;
      return { handedOver: waited.handedOver ?? this.#handedOver(superseded) };
    } finally {
      if (!hasSucceeded) successor.abandon();
    }
  }

  /** Creates a session, or replaces one whose owner is gone. Errors: as {@link admit}, without those of a join. */
  async create(request: SessionRequest, description: SessionDescription, serve: Serve): Promise<Creation> {
    const { identity, principal } = request;
    if (await this.#isOthers(request)) return { kind: 'forbidden' };
    return await this.#alone(identity, async () => {
      try {
        return await this.#createAlone(request, description, serve);
      } finally {
        if (principal !== undefined) this.#principalSessions.release(principal, identity);
      }
    });
  }

  async #createAlone(request: SessionRequest, description: SessionDescription, serve: Serve): Promise<Creation> {
    const { log, claims } = this.#dependencies;
    const { identity, principal, maxSessions, limits } = request;
    for (let hasLost = false; ; hasLost = true) {
      await log.readToEnd(limits);
      let entry = log.get(identity);
      // Also while no bridge serves it: only its principal may replace it.
      if (entry !== undefined && !belongsTo(entry, principal)) return { kind: 'forbidden' };
      let decision = decideCreate(this.#situation(request, entry, hasLost));
      if (decision.kind === 'alreadyExists' && entry !== undefined && (await this.isOwnerGone(entry, limits))) {
        const gone = entry.id;
        entry = log.get(identity);
        if (entry !== undefined && !belongsTo(entry, principal)) return { kind: 'forbidden' };
        decision = decideCreate({ ...this.#situation(request, entry, hasLost), isOwnerGone: entry?.id === gone });
      }
      if (decision.kind !== 'create' && decision.kind !== 'replace') return decision;
      if (principal !== undefined && maxSessions !== undefined) {
        if (!this.#principalSessions.reserve(principal, identity, maxSessions)) return { kind: 'tooMany' };
      }
      const won = await claims.write({
        identity,
        epoch: decision.epoch,
        limits,
        createdAtMs: Date.now(),
        inherited: principal === undefined ? {} : { principal },
        content: { state: 'held', description },
      });
      if (won === undefined || (await this.#waitFor(entry, won, limits)) === undefined) continue;
      serve({ entry: won.entry, description });
      return { kind: 'created' };
    }
  }

  /** The owner of a superseded claim gave the session up. */
  onHandedOver(identity: SessionIdentity): void {
    const { log, holdingOf } = this.#dependencies;
    this.#handovers.get(sessionKey(identity))?.();
    if (holdingOf(identity) !== undefined) log.removeDominatedLater(identity);
  }

  /**
   * Waits until the old owner has handed over, or its lease is over; `undefined` if the claim is not current any more then. The
   * hand-over is kept: its record may be removed before the group has the member.
   */
  async #waitFor(superseded: LoggedEntry | undefined, won: Win, limits: Limits): Promise<Succession | undefined> {
    const { place } = this.#dependencies;
    const leaseWaitMs = adoptionWaitMs(currentClaimOf(superseded), place?.promotion);
    const waitMs = won.storedAtMs + leaseWaitMs - performance.now();
    let handedOver: SessionDescription | undefined;
    if (superseded !== undefined && waitMs > 0) {
      const { log } = this.#dependencies;
      const aheadMs = Math.min(waitMs, ASK_AHEAD_MS);
      handedOver = await this.#untilHandedOver(superseded, within(waitMs - aheadMs, limits.signal));
      // So that the confirmation is there when the wait is over.
      log.readToEnd(limits).catch(() => {});
      handedOver ??= await this.#untilHandedOver(superseded, within(aheadMs, limits.signal));
    }
    const decision = await this.#dependencies.leases.confirm(won, limits);
    return decision.kind === 'keep' ? { handedOver } : undefined;
  }

  /** Waits until the owner of a superseded claim gives the session up, or until the limits are over. Never throws. */
  async #untilHandedOver(superseded: LoggedEntry, limits: Limits): Promise<SessionDescription | undefined> {
    const known = this.#handedOver(superseded);
    if (known !== undefined) return known;
    const key = sessionKey(superseded.identity);
    const { promise, resolve } = Promise.withResolvers<SessionDescription | undefined>();
    // Read at once: one fetch may have the record and its removal.
    this.#handovers.set(key, () => resolve(this.#handedOver(superseded)));
    const handedOver = await bounded(promise, limits).catch(() => undefined);
    this.#handovers.delete(key);
    return handedOver;
  }

  /** The description with which the owner of a superseded claim gave the session up. */
  #handedOver(superseded: LoggedEntry | undefined): SessionDescription | undefined {
    const { place } = this.#dependencies;
    // What an owner of another cluster wrote since comes with the log; its positions are of that cluster.
    if (superseded === undefined || isOfOtherCluster(superseded, place?.cluster)) return undefined;
    const value = this.#dependencies.log.handedOver(superseded.identity, superseded)?.value;
    return value === undefined || value.state === 'deleted' ? undefined : value.description;
  }

  /** Whether an owner does not answer in the log. Errors: `kafkaUnavailable`. */
  async isOwnerGone(entry: LoggedEntry, limits: Limits): Promise<boolean> {
    const { holdingOf } = this.#dependencies;
    return holdingOf(entry.identity) === undefined && (await isOwnerGone(this.#dependencies, entry, limits));
  }

  /**
   * Whether the session belongs to another principal. Asked before the request waits for its turn: others' requests must not delay an
   * adoption. Errors: `kafkaUnavailable`.
   */
  async #isOthers({ identity, principal, limits }: SessionRequest): Promise<boolean> {
    const { log } = this.#dependencies;
    const isOthers = (): boolean => {
      const entry = log.get(identity);
      return entry !== undefined && !belongsTo(entry, principal);
    };
    if (!isOthers()) return false;
    await log.readToEnd(limits);
    return isOthers();
  }

  /** The description of an entry with positions of this bridge's Kafka cluster. Errors: `kafkaUnavailable`. */
  async #descriptionHere(
    entry: LoggedEntry,
    description: SessionDescription,
    limits: Limits,
  ): Promise<SessionDescription> {
    const { place } = this.#dependencies;
    if (place === undefined || !isOfOtherCluster(entry, place.cluster)) return description;
    return await place.translate(description, limits);
  }

  #situation({ identity, origin }: SessionRequest, entry: LoggedEntry | undefined, hasLost: boolean) {
    const { self, holdingOf, place } = this.#dependencies;
    return {
      self,
      origin,
      hasLost,
      entry: currentClaimOf(entry),
      holding: holdingOf(identity),
      isOwnerGone: false,
      promotion: place?.promotion,
    };
  }

  /** Waits until no adoption and no creation runs. Never throws. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Runs one adoption or creation of a session after another. */
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

/** A session that this bridge has claimed, with its claim: releases it, hands it over, ends it, and reacts when the claim is lost. */
import type { Logger } from 'pino';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { Loss, WonClaim } from './claims.ts';
import { abandon, end, handOver, release } from './departure.ts';
import { type ClaimHolder, HeldClaim, type HeldClaimDependencies } from './held-claim.ts';
import type { Ownership } from './ownership.ts';
import type { ServedSession } from './served-session.ts';
import { isEnding } from './session-life.ts';
import type { SessionLog } from './session-log.ts';

/** Creates the session of a claim that won. */
export type Begin<S extends ServedSession> = (claim: WonClaim, ownership: Ownership) => S;

export interface HeldSessionDependencies extends HeldClaimDependencies {
  log: Logger;
  sessionLog: SessionLog;
  /** Requests do not find the session here from now on. */
  remove: (held: { readonly session: ServedSession }) => void;
}

export class HeldSession<S extends ServedSession = ServedSession> implements ClaimHolder {
  readonly session: S;
  readonly claim: HeldClaim;
  /** Since when this bridge holds it, in milliseconds since 1970. */
  readonly heldSinceMs = Date.now();
  readonly #dependencies: HeldSessionDependencies;

  constructor(dependencies: HeldSessionDependencies, claim: WonClaim, begin: Begin<S>) {
    this.#dependencies = dependencies;
    this.claim = new HeldClaim(dependencies, claim, this);
    this.session = begin(claim, this.claim);
  }

  /** Whether this bridge answers for the session in the log: not during a release or a hand-over, and not once it is over. */
  get isAnswering(): boolean {
    const { kind } = this.claim.life;
    return kind === 'held' || kind === 'ending';
  }

  /** Writes what the session is now. Errors: as {@link Ownership.record}. */
  async record(): Promise<void> {
    await this.claim.record(this.session.logged.description);
  }

  /** Releases it for any bridge. Calls share one release, and wait until it, or a delete, is written. Never throws. */
  async release(reason: { isClients: boolean }): Promise<void> {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    if (!this.claim.enter({ kind: 'releasing', settled })) return await this.departed();
    try {
      const isReleased = await release(this, reason);
      if (isReleased) this.#dependencies.log.info(this.#named(), 'consumer released');
    } catch {
      // The log does not have the release: the next bridge waits for the lease.
    } finally {
      // A delete that came meanwhile is not over: until then requests find it, and are refused.
      if (!isEnding(this.claim.life)) this.#dependencies.remove(this);
      resolve();
    }
  }

  /** Waits until the release or delete that is under way, if any, is written. Never throws. */
  async departed(): Promise<void> {
    const { life } = this.claim;
    if ('settled' in life) await life.settled;
  }

  /**
   * Deletes the session, unless another bridge claims it first: then the session lives there.
   * Errors: `kafkaUnavailable`: then the log still has it, and the next request adopts it.
   */
  async end(options: { isCommitting: boolean }): Promise<{ kind: 'deleted' } | Loss> {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    this.claim.enter({ kind: 'ending', settled });
    try {
      await end(this, options);
      return await this.claim.delete();
    } finally {
      this.#dependencies.remove(this);
      resolve();
    }
  }

  /** Drops the session: another bridge owns it, and no hand-over is possible. */
  async abandon(): Promise<void> {
    await abandon(this, { kind: 'fenced', owner: undefined });
  }

  /** Another cluster is active: the session is no longer this bridge's, whatever the log of this cluster says. */
  drop(): void {
    if (!this.claim.enter({ kind: 'handingOver' })) return;
    this.#dependencies.remove(this);
    void this.abandon();
  }

  /** The log has something new about the session. */
  onLogged(): void {
    if (!this.isAnswering) return;
    const decision = this.claim.decide();
    if (decision.kind !== 'keep') this.onLost(decision);
  }

  onLost(loss: Loss): void {
    if (loss.kind === 'fenced') {
      this.#fence(loss.owner);
      return;
    }
    if (!this.claim.enter({ kind: 'ended', settled: Promise.resolve() })) return;
    this.#dependencies.remove(this);
    this.#dependencies.log.info(this.#named(), 'consumer was deleted elsewhere');
    void this.session.abandon();
  }

  onReplaced(): void {
    // The bridge that joined in its place has written its claim.
    if (this.claim.life.kind === 'claimed') void this.abandon();
    else this.#fence(undefined);
  }

  /** Another bridge owns the session, and may still wait for a hand-over. */
  #fence(owner: string | undefined): void {
    if (!this.claim.enter({ kind: 'handingOver' })) return;
    this.#dependencies.remove(this);
    this.#dependencies.log.info({ ...this.#named(), owner }, 'consumer was adopted elsewhere');
    void this.#handOver();
  }

  /** Never throws. */
  async #handOver(): Promise<void> {
    const { sessionLog } = this.#dependencies;
    // Kafka may know the other bridge's member before this one has read the other's claim.
    if (this.claim.decide().kind !== 'fenced') await sessionLog.readToEnd(this.#limits()).catch(() => {});
    const decision = this.claim.decide();
    if (decision.kind !== 'fenced') {
      await this.abandon();
      return;
    }
    const received = sessionLog.get(this.session.identity)?.value.received;
    await handOver(this, { owner: decision.owner, received });
  }

  #limits(): Limits {
    return within(this.#dependencies.requestTimeoutMs);
  }

  #named(): { group: string; name: string } {
    const { group, name } = this.session.identity;
    return { group, name };
  }
}

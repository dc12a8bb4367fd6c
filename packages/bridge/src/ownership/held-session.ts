/** A session that this bridge has claimed, with the claim, and the ways in which it comes to be served and to leave. */
import type { Logger } from 'pino';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { Loss, WonClaim } from './claims.ts';
import { abandon, end, handOver, release } from './departure.ts';
import { type ClaimHolder, HeldClaim, type HeldClaimDependencies } from './held-claim.ts';
import type { Ownership } from './ownership.ts';
import type { ServedSession } from './served-session.ts';
import type { SessionLog } from './session-log.ts';

/** Makes the session of a claim that won. */
export type Begin<S extends ServedSession> = (claim: WonClaim, ownership: Ownership) => S;

export interface HeldSessionDependencies extends HeldClaimDependencies {
  log: Logger;
  sessionLog: SessionLog;
  /** The session is not found here from now on. */
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

  /** Whether it is served here, and neither leaving nor over. */
  get isServing(): boolean {
    const { kind } = this.claim.life;
    return kind === 'held' || kind === 'ending';
  }

  /** Writes what the session is now. Errors: as {@link Ownership.record}. */
  async record(): Promise<void> {
    await this.claim.record(this.session.logged.description);
  }

  /** Releases it for any bridge. Calls share one release, and wait until it is written. Never throws. */
  async release(reason: { isClients: boolean }): Promise<void> {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    if (!this.claim.enter({ kind: 'releasing', settled })) return await this.released();
    try {
      const isReleased = await release(this, reason);
      if (isReleased) this.#dependencies.log.info(this.#named(), 'consumer released');
    } catch {
      // The log does not have the release: the next bridge waits for the lease.
    } finally {
      this.#dependencies.remove(this);
      resolve();
    }
  }

  /** Waits until the release that is under way, if any, is written. Never throws. */
  async released(): Promise<void> {
    const { life } = this.claim;
    if ('settled' in life) await life.settled;
  }

  /**
   * Deletes the session, unless another bridge claims it first: then the session lives there.
   * Errors: `kafkaUnavailable`: then the log still has it, and the next request adopts it.
   */
  async end(options: { isCommitting: boolean }): Promise<{ kind: 'deleted' } | Loss> {
    this.claim.enter({ kind: 'ending' });
    try {
      await end(this, options);
      return await this.claim.delete();
    } finally {
      this.#dependencies.remove(this);
    }
  }

  /** Before it was served: another bridge has it. */
  async abandon(): Promise<void> {
    await abandon(this, { kind: 'fenced', owner: undefined });
  }

  /** The session log has something new on it. */
  onLogged(): void {
    if (!this.isServing) return;
    const decision = this.claim.decide();
    if (decision.kind !== 'keep') this.onLost(decision);
  }

  onLost(loss: Loss): void {
    if (loss.kind === 'fenced') {
      this.#fence(loss.owner);
      return;
    }
    if (!this.claim.enter({ kind: 'ended' })) return;
    this.#dependencies.remove(this);
    this.#dependencies.log.info(this.#named(), 'consumer was deleted elsewhere');
    void this.session.abandon();
  }

  onReplaced(): void {
    // The bridge that joined in its place has written so, or will hear of it when it is asked.
    if (this.claim.life.kind === 'claimed') void this.abandon();
    else this.#fence(undefined);
  }

  /** Another bridge has it, which may still wait: it continues where the client is. */
  #fence(owner: string | undefined): void {
    if (!this.claim.enter({ kind: 'handingOver' })) return;
    this.#dependencies.remove(this);
    this.#dependencies.log.info({ ...this.#named(), owner }, 'consumer was taken over');
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

/** A session that this bridge serves, with the claim by which it may. */
import { BridgeError } from '../errors.ts';
import type { Limits } from '../kafka/limits.ts';
import type { SessionDescription } from '../kafka/session-entry.ts';
import type { Claims, Loss, OwnedClaim } from './claims.ts';
import type { Leases } from './leases.ts';
import type { Session } from './session.ts';
import type { SessionOwnership } from './session-ownership.ts';

export interface HeldSession {
  readonly session: Session;
  readonly ownership: ClaimedOwnership;
  /** Since when this bridge serves it, in milliseconds since 1970. */
  readonly heldSinceMs: number;
  /** Since it is being given up; settles when that is written. */
  releasing?: Promise<void>;
}

export class ClaimedOwnership implements SessionOwnership {
  readonly #claims: Claims;
  readonly #leases: Leases;
  readonly #limits: () => Limits;
  readonly #onLost: (loss: Loss) => void;
  #claim: OwnedClaim;
  #fitting: Promise<void> | undefined;

  /** `limits` are those of a write; `onLost` is called when another bridge has the session, or nobody. */
  constructor(
    { claims, leases }: { claims: Claims; leases: Leases },
    claim: OwnedClaim,
    { limits, onLost }: { limits: () => Limits; onLost: (loss: Loss) => void },
  ) {
    this.#claims = claims;
    this.#leases = leases;
    this.#claim = claim;
    this.#limits = limits;
    this.#onLost = onLost;
  }

  get claim(): OwnedClaim {
    return this.#claim;
  }

  async confirm(limits: Limits): Promise<void> {
    await this.fit(limits);
    while (true) {
      const claim = this.#claim;
      const decision = await this.#leases.confirm(claim, limits);
      // A claim of its own supersedes this one, and may count for a shorter time.
      if (this.#fitting !== undefined) await this.#fitting;
      else if (decision.kind === 'keep') return;
      else if (this.#claim === claim) throw this.#lose(decision);
    }
  }

  fit(limits: Limits): Promise<void> | undefined {
    const { entry } = this.#claim;
    if (this.#leases.isUnfit(entry)) return this.#fitLease(limits);
    this.#leases.measureAhead(entry);
    return this.#fitting;
  }

  confirmAhead(): void {
    this.#leases.confirmAhead(this.#claim);
  }

  async record(description: SessionDescription): Promise<void> {
    await this.#fitting;
    const written = await this.#claims.update(this.#claim, description, this.#limits());
    if (written.kind !== 'written') throw this.#lose(written);
    this.#claim = written.claim;
  }

  /** Calls share it. */
  #fitLease(limits: Limits): Promise<void> {
    this.#fitting ??= this.#claimAgain(limits).finally(() => {
      this.#fitting = undefined;
    });
    return this.#fitting;
  }

  async #claimAgain(limits: Limits): Promise<void> {
    const written = await this.#claims.claimAgain(this.#claim, this.#claim.description, limits);
    if (written.kind !== 'written') throw this.#lose(written);
    this.#claim = written.claim;
  }

  #lose(loss: Loss): BridgeError {
    this.#onLost(loss);
    if (loss.kind === 'ended') return new BridgeError('consumerNotFound');
    return new BridgeError('misdirected', { owner: loss.owner });
  }
}

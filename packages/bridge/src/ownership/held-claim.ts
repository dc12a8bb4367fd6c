/**
 * The claim by which this bridge serves a session: confirmed, kept fit and up to date, and given up. A claim that is written
 * anew replaces the one before; one that is lost is told once it is seen to be.
 */
import { BridgeError } from '../errors.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import type { Claims, Loss, WonClaim } from './claims.ts';
import type { Leases } from './leases.ts';
import type { Ownership } from './ownership.ts';
import type { HoldingDecision } from './rules.ts';
import type { SessionDescription } from './session-entry.ts';

export class HeldClaim implements Ownership {
  readonly #claims: Claims;
  readonly #leases: Leases;
  readonly #limits: () => Limits;
  readonly #onLost: (loss: Loss) => void;
  #claim: WonClaim;
  #fitting: Promise<void> | undefined;
  /** A write under this claim may arrive late, and nothing comes after it. */
  #isSpent = false;

  /** `limits` are those of a write; `onLost` is called when another bridge has the session, or nobody. */
  constructor(
    { claims, leases }: { claims: Claims; leases: Leases },
    claim: WonClaim,
    { limits, onLost }: { limits: () => Limits; onLost: (loss: Loss) => void },
  ) {
    this.#claims = claims;
    this.#leases = leases;
    this.#claim = claim;
    this.#limits = limits;
    this.#onLost = onLost;
  }

  get claim(): WonClaim {
    return this.#claim;
  }

  async confirm(limits: Limits): Promise<void> {
    // Whoever began it may wait longer.
    const fitting = this.fit(limits);
    if (fitting !== undefined) await bounded(fitting, limits);
    while (true) {
      const claim = this.#claim;
      const decision = await this.#leases.confirm(claim, limits);
      // A claim of its own supersedes this one, and may count for a shorter time.
      if (this.#fitting !== undefined) await bounded(this.#fitting, limits);
      else if (decision.kind === 'keep') return;
      else if (this.#claim === claim) throw this.#lose(decision);
    }
  }

  fit(limits: Limits): Promise<void> | undefined {
    const { entry } = this.#claim;
    if (this.#isSpent || this.#leases.isUnfit(entry)) return this.#fitLease(limits);
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

  /** Into a log that was made anew. What cannot be written under this claim is claimed again when it is needed. Never throws. */
  async writeAgain(description: SessionDescription): Promise<void> {
    const claim = this.#claim;
    const writing = this.#claims.writeAgain(claim, description, this.#limits()).then((isWritten) => {
      if (!isWritten && this.#claim === claim) this.#isSpent = true;
    });
    // A claim that is on its way waits for the log, and the log for this.
    this.#fitting ??= writing.finally(() => {
      this.#fitting = undefined;
    });
    await writing;
  }

  /** What the log says of it, as far as it was read. */
  decide(): HoldingDecision {
    const { entry } = this.#claim;
    return this.#claims.decide(entry.identity, entry);
  }

  /** Gives it up, with the last word on the session. See {@link Claims.release}. */
  async release(description: SessionDescription): Promise<void> {
    await this.#claims.release({ ...this.#claim, description }, this.#limits());
  }

  /** Ends the session for good. Errors: as {@link Claims.delete}. */
  async delete(): Promise<void> {
    await this.#claims.delete(this.#claim, this.#limits());
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
    this.#isSpent = false;
  }

  #lose(loss: Loss): BridgeError {
    this.#onLost(loss);
    if (loss.kind === 'ended') return new BridgeError('consumerNotFound');
    return new BridgeError('misdirected', { owner: loss.owner });
  }
}

/**
 * The claim by which this bridge owns one session, and the life of that session here. The claim is confirmed, renewed when its
 * lease no longer fits, updated as the session changes, and given up; a new claim of this bridge replaces the one before.
 */
import { BridgeError } from '../errors.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import type { Claims, Loss, OpenClaims, WonClaim } from './claims.ts';
import type { Leases } from './leases.ts';
import { checkAlive, type Ownership } from './ownership.ts';
import type { HoldingDecision } from './rules.ts';
import type { LoggedEntry, SessionDescription } from './session-entry.ts';
import { mayFollow, type SessionLife } from './session-life.ts';

export interface HeldClaimDependencies {
  claims: Claims;
  leases: Leases;
  /** Of a write. */
  requestTimeoutMs: number;
}

/** Learns when the claim does not count any more. */
export interface ClaimHolder {
  /** Another bridge owns the session, or it was deleted. */
  onLost(loss: Loss): void;
  /** Kafka reported another member in the session's place. */
  onReplaced(): void;
}

export class HeldClaim implements Ownership {
  readonly #dependencies: HeldClaimDependencies;
  readonly #holder: ClaimHolder;
  #claim: WonClaim;
  #life: SessionLife = { kind: 'claimed' };
  /** Settles after the last write: each begins when the one before is over, with the claim that it left. Never rejects. */
  #written: Promise<unknown> = Promise.resolve();
  /** The claim that is about to replace this one. */
  #fitting: Promise<void> | undefined;
  /** A write under this claim may arrive late: nothing more is written under it. */
  #isSpent = false;
  /** Claims that were written to replace this one, and were not read back in time: one that is current after all replaces it then. */
  readonly #open: OpenClaims = new Set();

  constructor(dependencies: HeldClaimDependencies, claim: WonClaim, holder: ClaimHolder) {
    this.#dependencies = dependencies;
    this.#claim = claim;
    this.#holder = holder;
  }

  get life(): SessionLife {
    return this.#life;
  }

  /** Moves the life to `next`, and returns whether `next` may follow. */
  enter(next: SessionLife): boolean {
    if (!mayFollow(this.#life, next)) return false;
    this.#life = next;
    return true;
  }

  /** As it was written last. */
  get entry(): LoggedEntry {
    return this.#claim.entry;
  }

  async confirm(limits: Limits): Promise<void> {
    // The call that began it may wait longer.
    const fitting = this.fit(limits);
    if (fitting !== undefined) await bounded(fitting, limits);
    while (true) {
      const claim = this.#claim;
      const decision = await this.#dependencies.leases.confirm(claim, limits);
      // A claim of this bridge supersedes this one, and may count for a shorter time.
      if (this.#fitting !== undefined) await bounded(this.#fitting, limits);
      else if (decision.kind === 'keep') return;
      else {
        // A write that Kafka did not answer may have become a claim of this bridge.
        await bounded(this.#written, limits);
        if (this.#claim === claim && !this.#takeLate()) throw this.#lost(decision);
      }
    }
  }

  fit(limits: Limits): Promise<void> | undefined {
    const { entry } = this.#claim;
    const { leases } = this.#dependencies;
    if (this.#isUnsure || leases.isUnfit(entry)) return this.#fitLease(limits);
    leases.measureAhead(entry);
    return this.#fitting;
  }

  confirmAhead(): void {
    this.#dependencies.leases.confirmAhead(this.#claim);
  }

  async record(description: SessionDescription): Promise<void> {
    const limits = this.#limits();
    await this.#inOrder(async () => {
      // A record behind the release would undo it.
      checkAlive(this);
      if (this.#isUnsure) return await this.#replace(description, limits);
      const written = await this.#dependencies.claims.update(this.#claim, description, { open: this.#open, limits });
      if (written.kind !== 'written') throw this.#lost(written);
      this.#take(written.claim);
    });
  }

  onReplaced(): void {
    this.#holder.onReplaced();
  }

  /** Into a log that was recreated. A claim that cannot be written again is replaced when it is needed. Never throws. */
  async writeAgain(description: SessionDescription): Promise<void> {
    const claim = this.#claim;
    const writing = this.#dependencies.claims.writeAgain(claim, description, this.#limits()).then((isWritten) => {
      if (!isWritten && this.#claim === claim) this.#isSpent = true;
    });
    // Waits for no write before it: a claim that is being written waits for the log, and the log for this.
    this.#written = Promise.all([this.#written, writing]);
    this.#fitting ??= writing.finally(() => {
      this.#fitting = undefined;
    });
    await writing;
  }

  /** Whether the claim still counts, as far as the log was read. */
  decide(): HoldingDecision {
    this.#takeLate();
    const { entry } = this.#claim;
    return this.#dependencies.claims.decide(entry.identity, entry);
  }

  /** Writes that this bridge gives the session up, with its last description. See {@link Claims.release}. */
  async release(description: SessionDescription): Promise<void> {
    const limits = this.#limits();
    await this.#inOrder(async () => {
      // A claim of this bridge that is current already would outlast a release of the one before.
      if (this.#open.size > 0) await this.#dependencies.claims.readToEnd(limits).catch(() => {});
      this.#takeLate();
      await this.#dependencies.claims.release({ ...this.#claim, description }, limits);
    });
  }

  /** Deletes the session. Errors: as {@link Claims.delete}. */
  async delete(): Promise<{ kind: 'deleted' } | Loss> {
    const limits = this.#limits();
    return await this.#inOrder(async () => {
      while (true) {
        const claim = this.#claim;
        const outcome = await this.#dependencies.claims.delete(claim, limits);
        if (outcome.kind === 'deleted' || (this.#claim === claim && !this.#takeLate())) return outcome;
      }
    });
  }

  /** Calls share it. */
  #fitLease(limits: Limits): Promise<void> {
    this.#fitting ??= this.#inOrder(async () => {
      // A claim behind the release would undo it.
      checkAlive(this);
      // The write before it may have left one that fits.
      if (this.#isUnsure || this.#dependencies.leases.isUnfit(this.#claim.entry)) {
        await this.#replace(this.#claim.description, limits);
      }
    }).finally(() => {
      this.#fitting = undefined;
    });
    return this.#fitting;
  }

  /** Writes when all writes before are over; its limits count from now. Settles like `write`. */
  #inOrder<T>(write: () => Promise<T>): Promise<T> {
    const writing = this.#written.then(write);
    this.#written = writing.catch(() => {});
    return writing;
  }

  async #replace(description: SessionDescription, limits: Limits): Promise<void> {
    const written = await this.#dependencies.claims.claimAgain(this.#claim, description, { open: this.#open, limits });
    if (written.kind !== 'written') throw this.#lost(written);
    this.#take(written.claim);
  }

  /** Whether nothing may be written under this claim, as it, or another one of this bridge, may count or not. */
  get #isUnsure(): boolean {
    return this.#isSpent || this.#open.size > 0;
  }

  /** Takes a claim that was read back too late for the call that wrote it. */
  #takeLate(): boolean {
    const late = this.#dependencies.claims.lateOf(this.#claim.entry.identity, this.#open);
    if (late !== undefined) this.#take(late);
    return late !== undefined;
  }

  /** Open claims are of the same epoch, and come behind it. */
  #take(claim: WonClaim): void {
    this.#claim = claim;
    this.#isSpent = false;
    this.#open.clear();
  }

  #lost(loss: Loss): BridgeError {
    this.#holder.onLost(loss);
    if (loss.kind === 'ended') return new BridgeError('consumerNotFound');
    return new BridgeError('misdirected', { owner: loss.owner });
  }

  #limits(): Limits {
    return within(this.#dependencies.requestTimeoutMs);
  }
}

/** The decisions about slots and keys, as pure functions: `test/model` explores them, and docs/exactly-once.md explains them. */
import type { Claim } from './claims.ts';

export interface KeyedQuestion {
  /** The slot's claim, as far as the log was read. */
  claim: Claim;
  /** This bridge, as `region/bridge`. */
  self: string;
  /** This bridge has read everything that was committed before it owned the slot, and may execute requests. */
  isHeld: boolean;
  /** Who asks: a client, or a gateway with the owners that it cannot reach. */
  sender: { via: 'client' } | { via: 'gateway'; failedOwners: readonly string[] };
  /** The owner gave a sign of life a moment ago. */
  isOwnerAlive: boolean;
  /** This request has seen the slot go to another bridge. */
  hasLost: boolean;
}

export type KeyedDecision =
  | { kind: 'execute' }
  /** Take the slot over from this guard. */
  | { kind: 'take'; guard: string }
  /** `owner`: `undefined` when no bridge owns the slot. */
  | { kind: 'misdirected'; owner: string | undefined };

/** What a bridge does with a request for a key that the log does not have. */
export function decideKeyed(question: KeyedQuestion): KeyedDecision {
  const { claim, self, isHeld, sender, isOwnerAlive, hasLost } = question;
  const { owner, transactionalId: guard } = claim;
  if (owner === self) return isHeld ? { kind: 'execute' } : { kind: 'take', guard };
  if (owner === undefined) return { kind: 'take', guard };
  if (hasLost) return { kind: 'misdirected', owner };
  if (sender.via === 'client') return isOwnerAlive ? { kind: 'misdirected', owner } : { kind: 'take', guard };
  return sender.failedOwners.includes(owner) ? { kind: 'take', guard } : { kind: 'misdirected', owner };
}

/**
 * Whether a request for which a slot was taken over has seen it go to another bridge, which lives. `isNew`: the claim was written since
 * the taking over began. Otherwise bridges with a request each under which the others failed would take the slot from each other.
 */
export function hasLostSlot({ owner }: Claim, { self, isNew }: { self: string; isNew: boolean }): boolean {
  return isNew && owner !== undefined && owner !== self;
}

/** Whether the claim may be written: the guard was taken over, and the log was read to its end after that. */
export function mayClaim(claim: Claim, guard: string): boolean {
  return claim.transactionalId === guard;
}

/** Whether a lane holds a slot, once its id was taken over and the log was read to its end after that. */
export function holds(claim: Claim, { self, laneId }: { self: string; laneId: string }): boolean {
  return claim.owner === self && claim.transactionalId === laneId;
}

export interface KnownKey {
  /** `undefined`: no answer is in the log. */
  loggedFingerprint: string | undefined;
  /** `undefined`: no request with the key is under way here. */
  openFingerprint: string | undefined;
  fingerprint: string;
}

export type KeyDecision = 'replay' | 'wait' | 'mismatch' | 'new';

/** What a request with a key is to this bridge. The log comes first: what it has is decided. */
export function decideKey({ loggedFingerprint, openFingerprint, fingerprint }: KnownKey): KeyDecision {
  const known = loggedFingerprint ?? openFingerprint;
  if (known === undefined) return 'new';
  if (known !== fingerprint) return 'mismatch';
  return loggedFingerprint === undefined ? 'wait' : 'replay';
}

export type RecoveryDecision = 'answer' | 'again' | 'misdirected';

/**
 * The outcome of a request whose transaction may or may not be committed, after the lane's id was taken over again and the log was
 * read to its end.
 */
export function decideRecovered({ isLogged, isHeld }: { isLogged: boolean; isHeld: boolean }): RecoveryDecision {
  if (isLogged) return 'answer';
  return isHeld ? 'again' : 'misdirected';
}

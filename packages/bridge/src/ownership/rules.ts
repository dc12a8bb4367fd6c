/**
 * Who may serve a session: decided from the session log, the sender of the request, and the age of Kafka's last confirmation.
 * Pure. `test/model/` explores the protocol that these functions make, state by state; `docs/ownership.md` explains it.
 *
 * The protocol:
 * 1. To own a session is to have written its current claim (`supersedes` in `session-entry.ts`). A bridge that wants a
 *    session reads the log to its end, writes a claim of the next epoch, and reads the log up to that claim: only then does
 *    it know whether it won, and only then does it join the group.
 * 2. An owner may stall at any instruction, and continue when another bridge owns the session. So it does nothing for the
 *    session — no response with records, no commit, no join — without a *confirmation*: a question to Kafka for the end of
 *    the log, asked no longer ago than the claim's lease, with everything up to that end read and the claim still current.
 *    The time counts from the question, not from the answer: an answer may have waited in a socket while the process was
 *    stopped. (A claim that Kafka stored is such a question, too: the log has it behind everything that was there when it
 *    was sent.)
 * 3. A bridge that adopts from an owner that did not release the session lets more than that owner's lease pass between the
 *    moment at which Kafka had its own claim and asking for positions. By then every confirmation of the old owner is too
 *    old: it commits no more, so that the positions are final; and it responds with no more records. Joining takes the old
 *    owner's membership away, and needs no wait: a commit that is refused for it is of the last batch, which may come again.
 *    An owner that lives, and reads the claim that supersedes its own, gives the session up at once and writes where the
 *    client is: the adopter continues there, and need not wait for the rest of the lease. The claim has the mark of the last
 *    response that the client received, as its gateway reported it.
 * 4. A request that lost the session, because its claim lost or because another claim was read while it was served, does
 *    not adopt: its response is 421 with the winner, which is alive. Otherwise two bridges, each with an old request which
 *    says that the other bridge failed, would take the session from each other for ever.
 * 5. Deleting is a claim, too: a claim that was on its way meanwhile loses against it.
 * 6. Owners write their entries into a recreated log again, under their claims; it confirms nothing until every confirmation
 *    by the old log is too old (`session-log-renewal.ts`). An entry that only the old log had remains current, behind
 *    any entry of the same epoch in the new log, so that others can adopt; but it confirms no owner.
 * 7. Where several Kafka clusters stand in for each other, the log is replicated, and an entry has the promotion under which it was written.
 *    Its owner serves no longer than that promotion lasts (`clusters/rules.ts`). So a bridge of the active cluster adopts from an
 *    owner of another promotion at once, without a wait; and claims of a higher promotion come before all others (`supersedes`).
 */
import { comparePromotions, type Promotion } from '@causeway/protocol/clusters.ts';
import { elapsedMs, type Instant } from '../clock.ts';
import { type Claim, type EntryValue, isSameClaim, type LoggedEntry } from './session-entry.ts';

/** Of claims without a lease, which older bridges wrote: how long a confirmation counts, in milliseconds. */
export const DEFAULT_LEASE_MS = 50;
/** A shorter lease would make adoptions little faster, and busy bridges ask again and again. */
export const MIN_LEASE_MS = 25;
/** Bridges cannot serve consumers from a Kafka that is further away than this allows. */
export const MAX_LEASE_MS = 2000;
/** A question must be answered, and the answer read, well within the lease. */
const LEASE_ANSWERS = 3;
/** The clocks of two machines may run at slightly different speeds. */
const WAIT_RATIO = 1.2;
/** After this long no bridge relies any more on a session log that was deleted since. */
export const LONGEST_RELIANCE_MS = Math.ceil(MAX_LEASE_MS * WAIT_RATIO);
/** An owner that lives needs this long to read that it was superseded, and to write where the client is. */
const MIN_WAIT_MS = 60;

/** The lease of a new claim, by how long Kafka's answers take here. */
export function leaseMsFor(answerMs: number): number {
  return Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, Math.ceil(LEASE_ANSWERS * answerMs)));
}

/** The claim that counts, as far as the rules need it. */
export interface CurrentClaim extends Claim {
  /** `region/bridge`. */
  owner: string;
  state: EntryValue['state'];
  leaseMs: number;
  /** `undefined` where there is one cluster. */
  promotion?: Promotion | undefined;
}

export function currentClaimOf(entry: LoggedEntry | undefined): CurrentClaim | undefined {
  if (entry === undefined) return undefined;
  const { epoch, id, value, promotion } = entry;
  return { epoch, id, owner: value.owner, state: value.state, leaseMs: leaseMsOf(entry), promotion };
}

export function leaseMsOf({ value }: LoggedEntry): number {
  return value.leaseMs ?? DEFAULT_LEASE_MS;
}

/** The sender of a request. */
export type Origin =
  /** A client without a gateway: it does not follow a 421. */
  | { via: 'client' }
  /** A gateway, with the owners that it cannot reach (`causeway-failed`). */
  | { via: 'gateway'; failedOwners: readonly string[] };

export interface Situation {
  /** This bridge, as `region/bridge`. */
  self: string;
  /** The log's current claim; the log was read to its end after the request came, unless `holding` is current. */
  entry: CurrentClaim | undefined;
  /** The claim with which this bridge serves the session now. */
  holding: Claim | undefined;
  origin: Origin;
  /** Whether the owner did not answer in the log. */
  isOwnerGone: boolean;
  /** Whether this request saw the session go to another bridge, which is alive. */
  hasLost: boolean;
  /** The promotion under which this bridge serves; `undefined` where there is one cluster. */
  promotion?: Promotion | undefined;
}

export type RequestDecision =
  | { kind: 'serve' }
  | { kind: 'notFound' }
  /** 421, for a gateway. */
  | { kind: 'misdirected'; owner: string }
  /** Write a claim of this epoch. */
  | { kind: 'adopt'; epoch: number };

export type CreateDecision =
  | { kind: 'create'; epoch: number }
  /** The session exists and its owner is gone: it begins from scratch, under the next epoch. */
  | { kind: 'replace'; epoch: number }
  | { kind: 'alreadyExists' }
  | { kind: 'misdirected'; owner: string };

/** Decides a request for a session. */
export function decideRequest(situation: Situation): RequestDecision {
  const { entry } = situation;
  if (entry === undefined || entry.state === 'deleted') return { kind: 'notFound' };
  if (isHeld(situation)) return { kind: 'serve' };
  const isAdoptable = (situation.origin.via === 'client' && !situation.hasLost) || isOwnerless(entry, situation);
  return isAdoptable ? { kind: 'adopt', epoch: entry.epoch + 1 } : { kind: 'misdirected', owner: entry.owner };
}

/** Decides a request that creates a session. */
export function decideCreate(situation: Situation): CreateDecision {
  const { entry, origin } = situation;
  if (entry === undefined) return { kind: 'create', epoch: 1 };
  if (entry.state === 'deleted') return { kind: 'create', epoch: entry.epoch + 1 };
  if (isHeld(situation)) return { kind: 'alreadyExists' };
  if (isOwnerless(entry, situation)) return { kind: 'replace', epoch: entry.epoch + 1 };
  // A gateway sends the request to the owner, which knows best whether it lives.
  return origin.via === 'gateway' ? { kind: 'misdirected', owner: entry.owner } : { kind: 'alreadyExists' };
}

export type HoldingDecision =
  | { kind: 'keep' }
  /** Another claim is current: drop the session at once, commit nothing, never join again. */
  | { kind: 'fenced'; owner: string }
  /** The session is deleted. */
  | { kind: 'ended' };

/** Whether this bridge still holds a session, now that the log has this entry of it. */
export function decideHolding(entry: CurrentClaim | undefined, holding: Claim): HoldingDecision {
  if (entry === undefined || entry.state === 'deleted') return { kind: 'ended' };
  if (isSameClaim(entry, holding) && entry.state === 'held') return { kind: 'keep' };
  return { kind: 'fenced', owner: entry.owner };
}

/**
 * Whether a claim that was read back won. `claimIds` are all that were written in this attempt: a write without an answer may
 * have arrived.
 */
export function hasWon(entry: CurrentClaim | undefined, claimIds: ReadonlySet<string>): boolean {
  return entry !== undefined && claimIds.has(entry.id);
}

/**
 * How long an adopter waits, by the claim that its own superseded, in milliseconds. `promotion`: under which it serves.
 */
export function adoptionWaitMs(superseded: CurrentClaim | undefined, promotion?: Promotion): number {
  if (superseded === undefined || isOfOtherPromotion(superseded, promotion)) return 0;
  return superseded.state === 'held' ? Math.max(MIN_WAIT_MS, Math.ceil(superseded.leaseMs * WAIT_RATIO)) : 0;
}

/** Whether ownership that Kafka confirmed when asked at `confirmedAt` still counts. */
export function isConfirmed(confirmedAt: Instant, now: Instant, leaseMs: number): boolean {
  return elapsedMs(confirmedAt, now) <= leaseMs;
}

/** Whether the next response should not rely on a confirmation: a bridge that responds often asks again before it has to wait. */
export function isConfirmationOld(confirmedAt: Instant, now: Instant, leaseMs: number): boolean {
  return elapsedMs(confirmedAt, now) > leaseMs / 2;
}

function isHeld({ entry, holding }: Situation): boolean {
  return entry !== undefined && holding !== undefined && decideHolding(entry, holding).kind === 'keep';
}

/** Whether no owner is left that would have to release the session. */
function isOwnerless(entry: CurrentClaim, { self, origin, isOwnerGone, hasLost, promotion }: Situation): boolean {
  if (entry.state === 'released' || isOfOtherPromotion(entry, promotion)) return true;
  if (hasLost) return false;
  // This bridge owns it and does not hold it: it was restarted, or lost its membership.
  if (entry.owner === self || isOwnerGone) return true;
  return origin.via === 'gateway' && origin.failedOwners.includes(entry.owner);
}

/** Whether a claim is of a time in which another cluster was active: its owner serves no more. */
function isOfOtherPromotion(claim: CurrentClaim, promotion: Promotion | undefined): boolean {
  if (promotion === undefined || claim.promotion === undefined) return false;
  return comparePromotions(claim.promotion, promotion) !== 0;
}

/**
 * Who may serve a session: what the session log says, who asks and how old the last word from Kafka is, turned into
 * what to do. `test/model/` explores the protocol that these functions make, state by state.
 *
 * The protocol:
 * 1. To own a session is to have written the claim that counts (`supersedes` in `session-entry.ts`). A bridge that
 *    wants a session reads the log to its end, writes a claim of the next epoch, and reads the log as far as that claim:
 *    only then does it know whether it won, and only then does it join the group.
 * 2. Whoever owns a session may be stopped at any instruction, and come back when another owns it. So nothing is done for
 *    a session — no answer with records, no commit, no join — unless the ownership was *confirmed*: a question to Kafka
 *    for the end of the log, asked no longer ago than the claim's lease, with everything up to that end read and the claim
 *    still the one that counts. What counts is when the question was asked, not when its answer was read: an answer may
 *    have waited in a socket while the process stood still. (A claim that Kafka stored is such a question, too: it stands
 *    behind everything that was there when it was sent.)
 * 3. Whoever adopts from an owner that did not release the session lets more than that owner's lease pass between the
 *    moment at which Kafka had its own claim and asking for positions. By then every confirmation of the old owner is too
 *    old: it commits no more, so that the positions are the last; and it answers no more. Joining takes its membership
 *    away, and needs no wait: a commit that is refused for it is of the last batch, which may come again.
 *    An owner that lives, and reads the claim that supersedes its own, gives the session up at once and says where the
 *    client is: whoever adopts goes on there, and need not wait for the rest of the lease. The claim says what the client
 *    received, for its gateway told the bridge that claims.
 * 4. A request that lost the session, because its claim lost or because another claim was read while it was served, does
 *    not adopt: it is answered 421 with the winner, which is alive. Otherwise two bridges, each with an old request that
 *    says that the other one failed, would take the session from each other for ever.
 * 5. Deleting is a claim too, of a session that is over: a claim that was on its way meanwhile loses against it.
 * 6. A log that was deleted is written again by the owners, under their claims, and confirms nothing until every confirmation
 *    by the old log is over (`session-log-renewal.ts`). What only the old log had counts on, behind whatever the new one
 *    has of the same epoch, so that others can adopt; but no owner is confirmed by it.
 */
import { elapsedMs, type Instant } from '../clock.ts';
import { type Claim, type EntryValue, isSameClaim, type LoggedEntry } from './session-entry.ts';

/** Of claims that do not say: how long a confirmation counts, in milliseconds. */
export const DEFAULT_LEASE_MS = 50;
/** Shorter ones would make adoptions little faster, and bridges that are busy ask again and again. */
export const MIN_LEASE_MS = 25;
/** A Kafka that is further away than this allows is none to serve consumers with. */
export const MAX_LEASE_MS = 2000;
/** A question must have its answer, and that be looked at, well within the lease. */
const LEASE_ANSWERS = 3;
/** The clocks of two machines may run at slightly different speeds. */
const WAIT_RATIO = 1.2;
/** After so long nobody relies any more on a session log that was deleted since. */
export const LONGEST_RELIANCE_MS = Math.ceil(MAX_LEASE_MS * WAIT_RATIO);
/** An owner that lives needs so long to learn that it was passed over, and to say where the client is. */
const MIN_WAIT_MS = 60;

/** The lease of a new claim, by how long Kafka's answers take here. Whoever needs a fresh one asks, and all share it. */
export function leaseMsFor(answerMs: number): number {
  return Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, Math.ceil(LEASE_ANSWERS * answerMs)));
}

/** The entry of the claim that counts, as far as ownership goes. */
export interface CurrentClaim extends Claim {
  /** `region/bridge`. */
  owner: string;
  state: EntryValue['state'];
  leaseMs: number;
}

/** An entry, as far as ownership goes. */
export function currentClaimOf(entry: LoggedEntry | undefined): CurrentClaim | undefined {
  if (entry === undefined) return undefined;
  const { epoch, id, value } = entry;
  return { epoch, id, owner: value.owner, state: value.state, leaseMs: leaseMsOf(entry) };
}

/** Bridges of older versions do not say. */
export function leaseMsOf({ value }: LoggedEntry): number {
  return value.leaseMs ?? DEFAULT_LEASE_MS;
}

/** Whoever sends a request. */
export type Origin =
  /** A client, without a gateway: it cannot go elsewhere by itself. */
  | { via: 'client' }
  /** A gateway, with the owners that it told it cannot reach (`causeway-failed`). */
  | { via: 'gateway'; failedOwners: readonly string[] };

/** What a decision is made from. */
export interface Situation {
  /** This bridge, as `region/bridge`. */
  self: string;
  /** What the log says; read to its end after the request came, unless `holding` is current. */
  entry: CurrentClaim | undefined;
  /** The claim with which this bridge serves the session now. */
  holding: Claim | undefined;
  origin: Origin;
  /** Whether the owner is known to be gone without anybody's asking. */
  isOwnerGone: boolean;
  /** Whether this request saw the session go to another bridge: that one is alive. */
  hasLost: boolean;
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
  /** The session is there and its owner is not: it begins anew, under the next epoch. */
  | { kind: 'takeOver'; epoch: number }
  | { kind: 'alreadyExists' }
  | { kind: 'misdirected'; owner: string };

/** What becomes of a request for a session that exists, if it does. */
export function decideRequest(situation: Situation): RequestDecision {
  const { entry } = situation;
  if (entry === undefined || entry.state === 'deleted') return { kind: 'notFound' };
  if (isHeld(situation)) return { kind: 'serve' };
  const isAdoptable = (situation.origin.via === 'client' && !situation.hasLost) || isOwnerless(entry, situation);
  return isAdoptable ? { kind: 'adopt', epoch: entry.epoch + 1 } : { kind: 'misdirected', owner: entry.owner };
}

/** What becomes of an explicit create. */
export function decideCreate(situation: Situation): CreateDecision {
  const { entry, origin } = situation;
  if (entry === undefined) return { kind: 'create', epoch: 1 };
  if (entry.state === 'deleted') return { kind: 'create', epoch: entry.epoch + 1 };
  if (isHeld(situation)) return { kind: 'alreadyExists' };
  if (isOwnerless(entry, situation)) return { kind: 'takeOver', epoch: entry.epoch + 1 };
  // A gateway asks the owner, which knows best whether it lives.
  return origin.via === 'gateway' ? { kind: 'misdirected', owner: entry.owner } : { kind: 'alreadyExists' };
}

export type HoldingDecision =
  | { kind: 'keep' }
  /** Another claim counts: drop the session at once, commit nothing, never join again. */
  | { kind: 'fenced'; owner: string }
  /** The session is over. */
  | { kind: 'ended' };

/** Whether a session may be held on, now that the log says this. */
export function decideHolding(entry: CurrentClaim | undefined, holding: Claim): HoldingDecision {
  if (entry === undefined || entry.state === 'deleted') return { kind: 'ended' };
  if (isSameClaim(entry, holding) && entry.state === 'held') return { kind: 'keep' };
  return { kind: 'fenced', owner: entry.owner };
}

/**
 * Whether a claim that was read back won. `claimIds` are all that were written in this attempt: of a write that was not
 * answered nobody knows whether it arrived.
 */
export function hasWon(entry: CurrentClaim | undefined, claimIds: ReadonlySet<string>): boolean {
  return entry !== undefined && claimIds.has(entry.id);
}

/** How long an adopter waits, by what its claim superseded, in milliseconds. */
export function adoptionWaitMs(superseded: CurrentClaim | undefined): number {
  return superseded?.state === 'held' ? Math.max(MIN_WAIT_MS, Math.ceil(superseded.leaseMs * WAIT_RATIO)) : 0;
}

/** Whether ownership that Kafka confirmed when asked at `confirmedAt` still counts. */
export function isConfirmed(confirmedAt: Instant, now: Instant, leaseMs: number): boolean {
  return elapsedMs(confirmedAt, now) <= leaseMs;
}

/** Whether the next answer should not rely on it: whoever answers again and again asks anew before it has to wait. */
export function isConfirmationOld(confirmedAt: Instant, now: Instant, leaseMs: number): boolean {
  return elapsedMs(confirmedAt, now) > leaseMs / 2;
}

function isHeld({ entry, holding }: Situation): boolean {
  return entry !== undefined && holding !== undefined && decideHolding(entry, holding).kind === 'keep';
}

/** Whether nobody is left who would have to be asked. */
function isOwnerless(entry: CurrentClaim, { self, origin, isOwnerGone, hasLost }: Situation): boolean {
  if (entry.state === 'released') return true;
  if (hasLost) return false;
  // Ours and not held: this bridge was started anew, or lost its membership.
  if (entry.owner === self || isOwnerGone) return true;
  return origin.via === 'gateway' && origin.failedOwners.includes(entry.owner);
}

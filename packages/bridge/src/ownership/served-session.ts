/** What ownership needs of a session that this bridge serves. `consumers/session.ts` implements it. */
import type { Limits } from '../kafka/client/limits.ts';
import type { LoggedSeek, SessionDescription } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';

/** The answers that the session gave its client. See `DeliveryLog`. */
export interface Deliveries {
  /** The client asks again: its last answer was received, or comes again. */
  settle(): Promise<void> | undefined;
  /** Waits until the last answer was received, or until no gateway that lives would still confirm it. Never rejects. */
  untilReceived(): Promise<void>;
  /** Confirms the delivery of this mark. `isInPassing`: the client's own next request does. */
  confirm(mark: string, options: { isInPassing: boolean }): void;
  /** The last answer, unless it was received, comes again. */
  takeBack(): void;
}

/** The session as other bridges may adopt it. See `LoggedSession`. */
export interface LoggedState {
  readonly description: SessionDescription;
  /** Keeps what the client received, before a release. Never throws. */
  keepReceived(limits: Limits): Promise<void>;
  /** The same for a bridge that has claimed the session. Errors: when a commit that is under way does not end. */
  keepUncommitted(options: { isReceived: boolean }, limits: Limits): Promise<void>;
}

export interface ServedSession {
  readonly identity: SessionIdentity;
  readonly deliveries: Deliveries;
  readonly logged: LoggedState;
  /** Continues as another bridge described it: reads what that read, and joins the group in its place. */
  restore(description: SessionDescription, limits: Limits): Promise<void>;
  /** Continues at the positions where the previous owner handed over, in the partitions that it still has. */
  resumeAt(seeks: readonly LoggedSeek[]): void;
  /** Runs an operation when its turn comes. `isClients`: the client asks for it, and so has its last answer. Default: true. */
  inTurn(operation: () => Promise<void>, options?: { isClients: boolean }): Promise<void>;
  /** A waiting poll responds now, and later ones do not wait. */
  endPolls(): void;
  /** The same, and nothing waits for an answer to be written. */
  stop(): void;
  /** Commits what was delivered, where the consumer commits by itself. Never throws. */
  commitDelivered(limits: Limits): Promise<void>;
  /** Leaves the group, for good. */
  leave(limits: Limits): Promise<void>;
  /** Stops without leaving: the group keeps the member, for the bridge that joins in its place. */
  abandon(): Promise<void>;
}

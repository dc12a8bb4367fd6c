/** The states of a session: what it reads, or how it ended. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { BridgeError } from '../errors.ts';
import type { Membership } from '../kafka/group/membership.ts';
import type { PatternWatch } from './pattern-watch.ts';

export type SessionState =
  | { kind: 'idle' }
  | SubscribedState
  /** To partitions of the client's choice, without the group's say. */
  | { kind: 'assigned'; isEmpty: boolean }
  | { kind: 'closing' }
  /** Another bridge owns the session now: nothing is committed or answered any more. */
  | { kind: 'fenced'; owner: string | undefined }
  /** Given up in order, for any bridge to take over. */
  | { kind: 'released' };

export interface SubscribedState {
  kind: 'subscribed';
  /** `undefined`: an empty list was subscribed to, which is not the same as nothing. */
  membership: Membership | undefined;
  /** Of a pattern. */
  watch: PatternWatch | undefined;
}

/** After an empty list was subscribed to or assigned. */
const NOTHING_TO_READ =
  'java.lang.IllegalStateException: Consumer is not subscribed to any topics or assigned any partitions';

/** It is over here. */
export type EndedState = Extract<SessionState, { kind: 'closing' | 'fenced' | 'released' }>;

/** What a request to a session that ended is told. */
function endOf(state: EndedState): BridgeError {
  if (state.kind === 'closing') return new BridgeError('consumerNotFound');
  return new BridgeError('misdirected', { owner: state.kind === 'fenced' ? state.owner : undefined });
}

/** Errors: `consumerNotFound`; `misdirected` once it lives elsewhere. */
export function checkAlive(state: SessionState): void {
  if (state.kind === 'closing' || state.kind === 'fenced' || state.kind === 'released') throw endOf(state);
}

/** Errors: as {@link checkAlive}; `subscriptionConflict`. */
export function checkSubscribable(state: SessionState): void {
  checkAlive(state);
  if (state.kind === 'assigned') throw new BridgeError('subscriptionConflict');
}

/** Errors: as {@link checkAlive}; `subscriptionConflict`. */
export function checkAssignable(state: SessionState): void {
  checkAlive(state);
  if (state.kind === 'subscribed') throw new BridgeError('subscriptionConflict');
}

/** Errors: `notSubscribed`; `misdirected` once it lives elsewhere. */
export function checkSubscribed(state: SessionState): void {
  if (state.kind === 'idle') throw new BridgeError('notSubscribed');
  if (state.kind === 'fenced' || state.kind === 'released') throw endOf(state);
}

/** Whether there is anything to read. */
export function isReading(state: SessionState): boolean {
  if (state.kind === 'assigned') return !state.isEmpty;
  return state.kind === 'subscribed' && state.membership !== undefined;
}

/**
 * The membership to read with; `undefined` when the client chose the partitions.
 * Errors: `notSubscribed`; as {@link checkAlive}.
 */
export function readerOf(state: SessionState): Membership | undefined {
  switch (state.kind) {
    case 'idle':
      throw new BridgeError('notSubscribed');
    case 'closing':
    case 'fenced':
    case 'released':
      throw endOf(state);
    case 'assigned':
      if (state.isEmpty) throw new BridgeError('notSubscribed', { message: NOTHING_TO_READ });
      return undefined;
    case 'subscribed':
      if (state.membership === undefined) throw new BridgeError('notSubscribed', { message: NOTHING_TO_READ });
      return state.membership;
    default:
      return assertNever(state);
  }
}

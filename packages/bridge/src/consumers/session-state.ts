/** The states of a session: what it reads, or how it ended. */
import { assertNever, BridgeError } from '../errors.ts';
import type { Membership } from '../kafka/membership.ts';
import type { PatternWatch } from './pattern-watch.ts';

export type SessionState =
  | { kind: 'idle' }
  | SubscribedState
  /** To partitions of the client's choice, without the group's say. */
  | { kind: 'assigned'; isEmpty: boolean }
  | { kind: 'closing' }
  | { kind: 'fenced' };

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

/** Errors: `consumerNotFound`. */
export function checkAlive({ kind }: SessionState): void {
  if (kind === 'closing' || kind === 'fenced') throw new BridgeError('consumerNotFound');
}

/** Errors: `consumerNotFound`, `subscriptionConflict`. */
export function checkSubscribable(state: SessionState): void {
  checkAlive(state);
  if (state.kind === 'assigned') throw new BridgeError('subscriptionConflict');
}

/** Errors: `consumerNotFound`, `subscriptionConflict`. */
export function checkAssignable(state: SessionState): void {
  checkAlive(state);
  if (state.kind === 'subscribed') throw new BridgeError('subscriptionConflict');
}

/** Errors: `notSubscribed`, `consumerNotFound` once fenced. */
export function checkSubscribed({ kind }: SessionState): void {
  if (kind === 'idle') throw new BridgeError('notSubscribed');
  if (kind === 'fenced') throw new BridgeError('consumerNotFound');
}

/**
 * The membership to read with; `undefined` when the client chose the partitions.
 * Errors: `notSubscribed`, `consumerNotFound`.
 */
export function readerOf(state: SessionState): Membership | undefined {
  switch (state.kind) {
    case 'idle':
      throw new BridgeError('notSubscribed');
    case 'closing':
    case 'fenced':
      throw new BridgeError('consumerNotFound');
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

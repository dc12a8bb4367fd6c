/** The state of a session's subscription. `SessionLife` is the other state: whether the session lives here. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { BridgeError } from '../errors.ts';
import type { Membership } from '../kafka/group/membership.ts';
import type { PatternWatch } from './pattern-watch.ts';

export type SubscriptionState =
  | { kind: 'idle' }
  | SubscribedState
  /** To partitions that the client chose, without the group. */
  | { kind: 'assigned'; isEmpty: boolean };

export interface SubscribedState {
  kind: 'subscribed';
  /** `undefined`: the client subscribed to an empty list, which is not the same as no subscription. */
  membership: Membership | undefined;
  /** Of a pattern. */
  watch: PatternWatch | undefined;
}

/** After an empty list was subscribed to or assigned. */
const NOTHING_TO_READ =
  'java.lang.IllegalStateException: Consumer is not subscribed to any topics or assigned any partitions';

/** Whether there is anything to read. */
export function isReading(state: SubscriptionState): boolean {
  if (state.kind === 'assigned') return !state.isEmpty;
  return state.kind === 'subscribed' && state.membership !== undefined;
}

/** The membership to read with; `undefined` when the client chose the partitions. Errors: `notSubscribed`. */
export function readerOf(state: SubscriptionState): Membership | undefined {
  switch (state.kind) {
    case 'idle':
      throw new BridgeError('notSubscribed');
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

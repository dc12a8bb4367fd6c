/** How a consumer is given up for another bridge: in order, or because another bridge has claimed it. */

import type { DeliveryLog } from '../consumers/delivery.ts';
import type { LoggedSession } from '../consumers/logged-session.ts';
import type { OperationQueue } from '../consumers/operation-queue.ts';
import type { Poller } from '../consumers/poller.ts';
import type { EndedState } from '../consumers/session-state.ts';
import { bounded, within } from '../kafka/client/limits.ts';
import type { SessionDescription } from './session-entry.ts';

/** Tells other bridges; the last thing that is done in the consumer's name. */
export type WriteDeparture = (description: SessionDescription) => Promise<void>;

/** A consumer that is given up. */
export interface Departing {
  operations: OperationQueue;
  poller: Poller;
  deliveries: DeliveryLog;
  logged: LoggedSession;
  /** Errors: `consumerNotFound`; `misdirected` once it lives elsewhere. */
  checkAlive(): void;
  /** Ends it here; the group keeps the member. */
  depart(state: EndedState): Promise<void>;
}

/** How long the last commit may take. */
const COMMIT_TIMEOUT_MS = 3000;
/** Whoever claimed the consumer does not wait for longer. */
const HAND_OVER_TIMEOUT_MS = 2000;

/**
 * Gives it up in order, for another bridge: what the client received is committed, and the group keeps the member.
 * `write` tells the others. `isClients`: the client's own request asks for it, which says that its last answer was
 * received; else that is waited for a little, and an answer that nobody says was received comes again. Errors: those of
 * `write`, which gets what to tell.
 */
export async function release(
  departing: Departing,
  write: WriteDeparture,
  { isClients }: { isClients: boolean },
): Promise<void> {
  const { operations, poller, deliveries, logged } = departing;
  poller.end();
  if (!isClients) await operations.run(() => deliveries.untilReceived(), { isClients });
  await operations.run(
    async () => {
      departing.checkAlive();
      // A gateway that turned away from this bridge may have dropped what was written to it.
      deliveries.takeBack();
      await logged.keepReceived(within(COMMIT_TIMEOUT_MS));
      await giveUp(departing, { kind: 'released' }, write);
    },
    { isClients },
  );
}

/**
 * Another bridge has claimed it, which waits for a moment before it answers: `write` tells it where the client is, and
 * that nothing more follows. `received`: the mark of the client's last answer, where it is known. Never throws.
 */
export async function handOver(
  departing: Departing,
  write: WriteDeparture,
  { owner, received }: { owner: string; received: string | undefined },
): Promise<void> {
  const { operations, poller, deliveries, logged } = departing;
  poller.end();
  if (received !== undefined) deliveries.confirm(received, { isInPassing: true });
  const handingOver = operations.run(
    async () => {
      departing.checkAlive();
      // The client asked elsewhere: that it has the last answer is certain only if its gateway says so.
      deliveries.takeBack();
      await logged.keepUncommitted({ isReceived: received !== undefined }, within(HAND_OVER_TIMEOUT_MS));
      await giveUp(departing, { kind: 'fenced', owner }, write);
    },
    { isClients: false },
  );
  await bounded(handingOver, within(HAND_OVER_TIMEOUT_MS)).catch(() => departing.depart({ kind: 'fenced', owner }));
}

async function giveUp(departing: Departing, state: EndedState, write: WriteDeparture): Promise<void> {
  const description = departing.logged.description;
  await departing.depart(state);
  await write(description);
}

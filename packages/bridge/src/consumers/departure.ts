/** How a consumer is given up for another bridge: in order, or because another bridge has claimed it. */
import { CONFIRMATION_TIMEOUT_MS } from '@causeway/protocol/routing.ts';
import { bounded, within } from '../kafka/limits.ts';
import type { Partitions } from '../kafka/partitions.ts';
import type { SessionDescription } from '../kafka/session-entry.ts';
import type { Commits } from './commits.ts';
import type { DeliveryLog } from './delivery.ts';
import type { OperationQueue } from './operation-queue.ts';
import type { Poller } from './poller.ts';
import type { Seeks } from './seeks.ts';
import type { EndedState } from './session-state.ts';

/** Tells other bridges; the last thing that is done in the consumer's name. */
export type WriteDeparture = (description: SessionDescription) => Promise<void>;

/** A consumer that is given up. */
export interface Departing {
  isAutoCommit: boolean;
  operations: OperationQueue;
  deliveries: DeliveryLog;
  poller: Poller;
  commits: Commits;
  partitions: Partitions;
  seeks: Seeks;
  /** Its end. */
  end: AbortSignal;
  /** Errors: `consumerNotFound`; `misdirected` once it lives elsewhere. */
  checkAlive(): void;
  describe(): SessionDescription;
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
  const { isAutoCommit, operations, deliveries, partitions, seeks, end } = departing;
  departing.poller.end();
  const untilReceived = () => deliveries.untilReceived(within(CONFIRMATION_TIMEOUT_MS, end));
  if (!isClients) await operations.run(untilReceived, { isClients });
  await operations.run(
    async () => {
      departing.checkAlive();
      // A gateway that turned away from this bridge may have dropped what was written to it.
      deliveries.takeBack();
      await departing.commits.commitDelivered(within(COMMIT_TIMEOUT_MS));
      // The client commits later, and elsewhere, what it has received here.
      if (!isAutoCommit) seeks.keep(partitions.positions, partitions.assigned);
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
  const { isAutoCommit, operations, deliveries, partitions, seeks } = departing;
  departing.poller.end();
  if (received !== undefined) deliveries.confirm(received, { isInPassing: true });
  const handingOver = operations.run(
    async () => {
      departing.checkAlive();
      // The client asked elsewhere: that it has the last answer is certain only if its gateway says so.
      deliveries.takeBack();
      await departing.commits.untilCommitted(within(HAND_OVER_TIMEOUT_MS));
      // Not committed: the other bridge has joined in its place by now, or could not know when that arrives. What a
      // client has yet to commit comes again, unless its gateway says that it goes on.
      const { uncommitted, positions } = partitions;
      if (isAutoCommit) seeks.keep(uncommitted, uncommitted);
      else if (received !== undefined) seeks.keep(positions, positions);
      await giveUp(departing, { kind: 'fenced', owner }, write);
    },
    { isClients: false },
  );
  await bounded(handingOver, within(HAND_OVER_TIMEOUT_MS)).catch(() => departing.depart({ kind: 'fenced', owner }));
}

async function giveUp(departing: Departing, state: EndedState, write: WriteDeparture): Promise<void> {
  const description = departing.describe();
  await departing.depart(state);
  await write(description);
}

/** How a session leaves this bridge: released for any bridge, handed over to the one that claimed it, or ended for good. */
import { bounded, within } from '../kafka/client/limits.ts';
import type { HeldClaim } from './held-claim.ts';
import type { ServedSession } from './served-session.ts';
import type { OverLife } from './session-life.ts';

/** How long the last commit may take; the bridge that is to adopt waits for it. */
const COMMIT_TIMEOUT_MS = 3000;
/** The bridge that claimed the session does not wait longer. */
const HAND_OVER_TIMEOUT_MS = 2000;
/** How long the commit and the leave at the end may take; the group waits for them. */
const CLOSE_TIMEOUT_MS = 3000;

/** The session, and the claim that holds its life. */
export interface Departing {
  readonly session: ServedSession;
  readonly claim: HeldClaim;
}

/**
 * Releases the session for any bridge: commits or logs what the client received, keeps the member in the group, and writes the
 * release. `isClients`: the client's own request asks for it, and so it has its last answer; otherwise a confirmation is waited
 * for a little, and an answer without one comes again. Whether the release went through: not where the session was lost or
 * deleted meanwhile.
 */
export async function release(departing: Departing, { isClients }: { isClients: boolean }): Promise<boolean> {
  const { session, claim } = departing;
  let isReleased = false;
  session.endPolls();
  if (!isClients) await session.inTurn(() => session.deliveries.untilReceived(), { isClients });
  await session.inTurn(
    async () => {
      const { life } = claim;
      if (life.kind !== 'releasing') return;
      // A gateway that turned away from this bridge may have dropped the answer.
      session.deliveries.takeBack();
      await session.logged.keepReceived(within(COMMIT_TIMEOUT_MS));
      isReleased = await giveUp(departing, { kind: 'released', settled: life.settled });
    },
    { isClients },
  );
  return isReleased;
}

/**
 * Hands the session over to the bridge that has claimed it, which waits for a moment before it answers: writes where the client
 * is, and does nothing more for the session. `received`: the mark of the client's last answer, where it is known. Never throws.
 */
export async function handOver(
  departing: Departing,
  { owner, received }: { owner: string; received: string | undefined },
): Promise<void> {
  const { session, claim } = departing;
  session.endPolls();
  if (received !== undefined) session.deliveries.confirm(received, { isInPassing: true });
  const handingOver = session.inTurn(
    async () => {
      if (claim.life.kind !== 'handingOver') return;
      // The client asked elsewhere: only its gateway can say that it has the last answer.
      session.deliveries.takeBack();
      await session.logged.keepUncommitted({ isReceived: received !== undefined }, within(HAND_OVER_TIMEOUT_MS));
      await giveUp(departing, { kind: 'fenced', owner });
    },
    { isClients: false },
  );
  await bounded(handingOver, within(HAND_OVER_TIMEOUT_MS)).catch(() => abandon(departing, { kind: 'fenced', owner }));
}

/**
 * Ends the session here: a waiting poll responds, what was delivered is committed where the consumer commits by itself, and the
 * group is left. The log does not have it yet. Never throws.
 */
export async function end({ session, claim }: Departing, { isCommitting }: { isCommitting: boolean }): Promise<void> {
  if (isCommitting) await session.deliveries.settle();
  session.stop();
  await session
    .inTurn(async () => {
      const { life } = claim;
      if (life.kind !== 'ending') return;
      if (isCommitting) await session.commitDelivered(within(CLOSE_TIMEOUT_MS));
      if (claim.enter({ kind: 'ended', settled: life.settled })) await session.leave(within(CLOSE_TIMEOUT_MS));
    })
    .catch(() => {});
}

/** Stops serving at once: the session is another bridge's, or deleted. */
export async function abandon({ session, claim }: Departing, over: OverLife): Promise<void> {
  if (claim.enter(over)) await session.abandon();
}

/** The last thing that is done in the session's name is to write how it ends here. */
async function giveUp({ session, claim }: Departing, over: OverLife): Promise<boolean> {
  const { description } = session.logged;
  if (!claim.enter(over)) return false;
  await session.abandon();
  await claim.release(description);
  return true;
}

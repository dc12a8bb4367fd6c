/** The rules that the model follows: the bridge's own decision functions, and the order in which it acts on them. */
import { decideDelivery } from '@causeway/bridge/consumers/delivery.ts';
import { adoptionWaitMs, decideHolding, decideRequest, hasWon, isConfirmed } from '@causeway/bridge/ownership/rules.ts';
import { supersedes } from '@causeway/bridge/ownership/session-entry.ts';
import type { Rec } from './session-state.ts';

export interface Protocol {
  decideRequest: typeof decideRequest;
  decideHolding: typeof decideHolding;
  hasWon: typeof hasWon;
  adoptionWaitMs: typeof adoptionWaitMs;
  isConfirmed: typeof isConfirmed;
  decideDelivery: typeof decideDelivery;
  supersedes: typeof supersedes;
  /** The key of a record: compaction keeps the last record of each. */
  keyOf: (record: Rec) => string;
  /** Whether a claim is read back before its bridge joins. */
  isReadBack: boolean;
  /** Whether a confirmation is dated by its question, and not by when the answer was looked at. */
  isDatedByQuestion: boolean;
  /** Whether committed positions are asked for after joining, and after the old owner's lease. */
  isPositionedAfterWait: boolean;
  /** Whether the next answer waits for the commit of the records of the previous one. */
  isCommittedBeforeAnswer: boolean;
  /** Whether an owner that reads a claim of another bridge writes where the client is. */
  isHandedOver: boolean;
  /** Whether a session is deleted by a claim, and not by removing its records. */
  isDeletedByClaim: boolean;
}

export const PROTOCOL: Protocol = {
  decideRequest,
  decideHolding,
  hasWon,
  adoptionWaitMs,
  isConfirmed,
  supersedes,
  decideDelivery,
  keyOf: ({ id }) => id,
  isReadBack: true,
  isDatedByQuestion: true,
  isPositionedAfterWait: true,
  isDeletedByClaim: true,
  isCommittedBeforeAnswer: true,
  isHandedOver: true,
};

/** The current claim's record, of records in the order of the log; others may be missing, offsets stay. */
export function foldLog(
  { supersedes }: Pick<Protocol, 'supersedes'>,
  log: readonly { record: Rec; offset: number }[],
): Rec | undefined {
  let current: Rec | undefined;
  let place: { epoch: number; id: string; claimedAtOffset: bigint } | undefined;
  for (const { record, offset } of log) {
    const { epoch, id } = record;
    const candidate = { epoch, id, claimedAtOffset: BigInt(record.claimedAt ?? offset) };
    if (place !== undefined && place.id !== id && !supersedes(candidate, place)) continue;
    current = record;
    place = candidate;
  }
  return current;
}

/** The log after full compaction: the last record of each key. */
export function compacted({ keyOf }: Pick<Protocol, 'keyOf'>, log: readonly Rec[]): { record: Rec; offset: number }[] {
  const placed = log.map((record, offset) => ({ record, offset }));
  const last = new Map(placed.map(({ record, offset }) => [keyOf(record), offset]));
  return placed.filter(({ record, offset }) => last.get(keyOf(record)) === offset);
}

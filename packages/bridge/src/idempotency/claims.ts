/** The claim of a slot: which bridge owns it, and by which transactional id the slot is guarded. */
import { partitionForKey } from '../kafka/produce/produce.ts';
import { ANSWER_PARTITION_COUNT } from './topics.ts';

export interface Claim {
  /** The bridge, as `region/bridge`; `undefined`: the slot is free. */
  owner: string | undefined;
  /**
   * The guard: a transaction about keys of this slot, or about its next claim, has this id. A bridge that takes the id over knows that
   * no other one can commit any more.
   */
  transactionalId: string;
}

const PREFIX = 'causeway-answers-';

/** The guard of a slot that no bridge owns. */
export function freeClaim(slot: number): Claim {
  return { owner: undefined, transactionalId: `${PREFIX}slot-${slot}` };
}

/** The transactional id of a bridge's lane. */
export function laneId(bridge: string, lane: number): string {
  return `${PREFIX}${bridge}-${lane}`;
}

/** Where a lane writes its answers: the bridge that takes its slots over reads this partition to its end. */
export function answerPartitionOf(transactionalId: string): number {
  return partitionForKey(Buffer.from(transactionalId), ANSWER_PARTITION_COUNT);
}

/** The key of all claims in the slot's partition: compaction leaves the last one. */
export const CLAIM_KEY = Buffer.from('claim');
/** The key of the sign that a bridge lives. */
export const ALIVE_KEY = Buffer.from('alive');

export function encodeClaim({ owner, transactionalId }: Claim): Buffer {
  return Buffer.from(JSON.stringify({ owner: owner ?? null, transactionalId }));
}

/** `undefined` for bytes that are no claim. */
export function decodeClaim(value: Buffer | null): Claim | undefined {
  if (value === null) return undefined;
  try {
    const { owner, transactionalId } = JSON.parse(value.toString()) as Record<string, unknown>;
    if (typeof transactionalId !== 'string' || (owner !== null && typeof owner !== 'string')) return undefined;
    return { owner: owner ?? undefined, transactionalId };
  } catch {
    return undefined;
  }
}

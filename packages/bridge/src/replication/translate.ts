/**
 * Translates positions in the source of a replication into positions in its copy: never past a record that has not been delivered there,
 * and as near as the offset syncs allow. Pure.
 */
import type { SessionDescription } from '../ownership/session-entry.ts';
import type { PartitionOffset } from '../records.ts';
import type { SyncIndex } from './sync-index.ts';

/** Of a copy: nothing is before it. */
const BEGINNING = 0n;

/**
 * Where a reader continues that would have read this offset of the source next. The record of the greatest sync up to there is known in both
 * clusters; what follows it in the source follows it in the copy, with gaps and repetitions that no sync shows. Without such a sync: the
 * beginning.
 */
export function translateOffset(syncs: SyncIndex, position: PartitionOffset): bigint {
  const offset = Number(position.offset);
  const sync = syncs.of(position)?.floor(offset);
  if (sync === undefined) return BEGINNING;
  return BigInt(sync.upstream === offset ? sync.downstream : sync.downstream + 1);
}

export function translatePositions(syncs: SyncIndex, positions: readonly PartitionOffset[]): PartitionOffset[] {
  return positions.map(({ topic, partition, offset }) => ({
    topic,
    partition,
    offset: translateOffset(syncs, { topic, partition, offset }),
  }));
}

/** What an adopter of another cluster continues with. */
export function translateDescription(syncs: SyncIndex, description: SessionDescription): SessionDescription {
  const seeks = description.seeks.map(({ topic, partition, to }) => ({
    topic,
    partition,
    to: String(translateOffset(syncs, { topic, partition, offset: BigInt(to) })),
  }));
  return { ...description, seeks };
}

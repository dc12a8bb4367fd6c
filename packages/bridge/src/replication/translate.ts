/**
 * Translates positions in one of two Kafka clusters into positions in the other: never past a record that has not been delivered, and as
 * near as the offset syncs allow. Pure.
 */
import type { LoggedSeek, SessionDescription } from '../ownership/session-entry.ts';
import type { PartitionOffset } from '../records.ts';
import type { PromotionPoint } from './points.ts';
import type { SyncIndex } from './sync-index.ts';

/** The syncs of both directions: each cluster may have been the copy of the other one, at different times. */
export interface TwoWaySyncs {
  /** From the cluster of the positions to the one in which they are wanted. */
  towards: Pick<SyncIndex, 'of'>;
  /** The other way. */
  back: Pick<SyncIndex, 'of'>;
}

/** Nothing is before it. */
const BEGINNING = 0;

/**
 * Where a reader continues that would have read this offset of the other cluster next. A sync names a record that is in both clusters, and what
 * follows it in one follows it in the other, with gaps and repetitions that no sync shows. So the position is that of the last such record
 * up to the offset, or the one behind it. Of the two directions, the one that brings the reader further; without a sync, the beginning.
 */
export function translateOffset({ towards, back }: TwoWaySyncs, position: PartitionOffset): bigint {
  const offset = Number(position.offset);
  const copied = towards.of(position)?.floor(offset);
  const original = back.of(position)?.floorOfCopy(offset);
  const byCopy = copied === undefined ? BEGINNING : after(copied.upstream, copied.downstream, offset);
  const byOriginal = original === undefined ? BEGINNING : after(original.downstream, original.upstream, offset);
  return BigInt(Math.max(byCopy, byOriginal));
}

/** Whether anything is known of the partition: it is copied, or was. */
export function isKnown({ towards, back }: TwoWaySyncs, place: PartitionOffset): boolean {
  return towards.of(place) !== undefined || back.of(place) !== undefined;
}

/**
 * The same in a cluster that is active since this point: never behind it. A MirrorMaker that still runs copies what is left of the other cluster behind records
 * of this cluster's own time, which the reader has not seen. After a switch-over the point names one record in both.
 */
export function translateSince(syncs: TwoWaySyncs, point: PromotionPoint, position: PartitionOffset): bigint {
  const translated = translateOffset(syncs, position);
  const known = point.of(position);
  if (known === undefined) return translated;
  const end = BigInt(known.end);
  const isBehind = known.peerEnd !== undefined && position.offset >= BigInt(known.peerEnd);
  return isBehind || translated > end ? end : translated;
}

/** What an adopter of another cluster continues with, in a cluster that is active since this point. */
export function translateDescription(
  syncs: TwoWaySyncs,
  point: PromotionPoint,
  description: SessionDescription,
): SessionDescription {
  const translated = (logged: readonly LoggedSeek[]): LoggedSeek[] =>
    logged.map((seek) => {
      const { topic, partition, to } = seek;
      const offset = translateSince(syncs, point, { topic, partition, offset: BigInt(to) });
      return { ...seek, to: String(offset) };
    });
  const { seeks, begun } = description;
  const here = { ...description, seeks: translated(seeks) };
  return begun === undefined ? here : { ...here, begun: translated(begun) };
}

/** `there` and `here`: the offsets of the known record. */
function after(there: number, here: number, offset: number): number {
  return there === offset ? here : here + 1;
}

/** Where replication begins after a promotion of its source. Pure. */
import type { StartPosition } from '@causeway/protocol/clusters.ts';
import type { TopicPartition } from '../records.ts';
import type { TopicEnds } from './points.ts';

/**
 * The last records that the target has already: where the source ended when it was promoted, of partitions whose records came from the target. Others are
 * copied from their first record. `wasCopied`: whether a partition of the target was copied to the source before; known exactly after a switch-over.
 */
export function startPositions(
  point: readonly TopicEnds[],
  wasCopied: (place: TopicPartition) => boolean,
): StartPosition[] {
  return point.flatMap(({ topic, ends, peerEnds }) =>
    ends.flatMap((end, partition): StartPosition[] => {
      const isCopy = peerEnds === undefined ? wasCopied({ topic, partition }) : (peerEnds[partition] ?? 0) > 0;
      return end > 0 && isCopy ? [{ topic, partition, offset: end - 1 }] : [];
    }),
  );
}

/** Where a MirrorSourceConnector continues in its source, in the form of Kafka Connect's API (KIP-875). */

import type { StartPosition } from '@causeway/protocol/clusters.ts';

/** An element of the bodies of `GET` and `PATCH /connectors/{name}/offsets`. */
export interface ConnectorOffset {
  partition: { cluster: string; topic: string; partition: number };
  /** Null: none. */
  offset: { offset: number } | null;
}

/**
 * The positions that are ahead of those that the connector has. Never back: it has copied what is before its own, in this direction. So it
 * does not matter how often, and after which failure, positions of one promotion are written.
 */
export function offsetsAhead(
  source: string,
  positions: readonly StartPosition[],
  current: readonly ConnectorOffset[],
): ConnectorOffset[] {
  const reached = new Map(
    current.flatMap(({ partition, offset }) =>
      partition.cluster === source && offset !== null ? [[keyOf(partition), offset.offset]] : [],
    ),
  );
  return positions
    .filter((position) => position.offset > (reached.get(keyOf(position)) ?? -1))
    .map(({ topic, partition, offset }) => ({
      partition: { cluster: source, topic, partition },
      offset: { offset },
    }));
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${partition} ${topic}`;
}

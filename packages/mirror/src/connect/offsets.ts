/** Where a MirrorSourceConnector continues in its source. */
import { positionsAhead, type StartPosition } from '@causeway/protocol/clusters.ts';
import { type ConnectorOffset, toConnectorOffset } from '@causeway/status/clusters/connector-offset.ts';

/** What to change where Kafka Connect keeps `current`, for `positions` in `source`. */
export function offsetsAhead(
  source: string,
  positions: readonly StartPosition[],
  current: readonly ConnectorOffset[],
): ConnectorOffset[] {
  const kept = current.flatMap(({ partition: { cluster, topic, partition }, offset }) =>
    cluster === source && offset !== null ? [{ topic, partition, offset: offset.offset }] : [],
  );
  return positionsAhead(positions, kept).map((position) => toConnectorOffset(source, position));
}

/** A position of a MirrorSourceConnector, in the form of Kafka Connect's API (KIP-875). */
import type { StartPosition } from '@causeway/protocol/clusters.ts';

/** An element of the bodies of `GET` and `PATCH /connectors/{name}/offsets`. */
export interface ConnectorOffset {
  partition: { cluster: string; topic: string; partition: number };
  /** Null: none. */
  offset: { offset: number } | null;
}

/** `source`: the name of the cluster that is copied. */
export function toConnectorOffset(source: string, { topic, partition, offset }: StartPosition): ConnectorOffset {
  return { partition: { cluster: source, topic, partition }, offset: { offset } };
}

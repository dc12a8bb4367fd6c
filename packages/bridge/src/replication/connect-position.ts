/** A position of MirrorMaker in its source as Kafka Connect keeps it, as bytes and as values. Pure. */
import type { StartPosition } from '@causeway/protocol/clusters.ts';
import type { MirrorRecord } from './mirror-maker.ts';

/** MirrorMaker names its connectors after their classes. */
const CONNECTOR = 'MirrorSourceConnector';

/** Connect finds a position by the bytes of its key: the order of the members counts. */
export function encodePosition(
  cluster: string,
  { topic, partition, offset }: StartPosition,
): { key: Buffer; value: Buffer } {
  return {
    key: Buffer.from(JSON.stringify([CONNECTOR, { cluster, partition, topic }])),
    value: Buffer.from(`{"offset":${offset}}`),
  };
}

/** `undefined` for what is not a position in this cluster. A position that was removed is -1. */
export function decodePosition(cluster: string, { key, value }: MirrorRecord): StartPosition | undefined {
  const [connector, place] = (parse(key) ?? []) as [unknown?, Partial<StartPosition & { cluster: string }>?];
  const { topic, partition } = place ?? {};
  if (connector !== CONNECTOR || place?.cluster !== cluster) return undefined;
  if (typeof topic !== 'string' || typeof partition !== 'number') return undefined;
  const { offset } = (parse(value) ?? {}) as { offset?: unknown };
  return { topic, partition, offset: typeof offset === 'number' ? offset : -1 };
}

function parse(bytes: Buffer | null): unknown {
  try {
    return bytes === null ? undefined : JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

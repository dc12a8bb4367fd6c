/** A position of MirrorMaker in its source as Kafka Connect keeps it, as bytes and as values. Pure. */
import { partitionKey, type TopicPartition } from '../records.ts';
import type { MirrorRecord } from './mirror-maker.ts';

export interface ConnectPosition extends TopicPartition {
  /** Of the last record that was copied, or is not to be copied. */
  offset: number;
}

/** MirrorMaker names its connectors after their classes. */
const CONNECTOR = 'MirrorSourceConnector';

/** Connect finds a position by the bytes of its key: the order of the members counts. */
export function encodePosition(
  cluster: string,
  { topic, partition, offset }: ConnectPosition,
): { key: Buffer; value: Buffer } {
  return {
    key: Buffer.from(JSON.stringify([CONNECTOR, { cluster, partition, topic }])),
    value: Buffer.from(`{"offset":${offset}}`),
  };
}

/** `undefined` for what is not a position in this cluster. A position that was removed is -1. */
export function decodePosition(cluster: string, { key, value }: MirrorRecord): ConnectPosition | undefined {
  const [connector, place] = (parse(key) ?? []) as [unknown?, Partial<ConnectPosition & { cluster: string }>?];
  const { topic, partition } = place ?? {};
  if (connector !== CONNECTOR || place?.cluster !== cluster) return undefined;
  if (typeof topic !== 'string' || typeof partition !== 'number') return undefined;
  const { offset } = (parse(value) ?? {}) as { offset?: unknown };
  return { topic, partition, offset: typeof offset === 'number' ? offset : -1 };
}

/** Those that are ahead of the positions that are kept: MirrorMaker has copied what is before its own. So it does not matter how often they are written. */
export function ahead(positions: readonly ConnectPosition[], kept: readonly ConnectPosition[]): ConnectPosition[] {
  const reached = new Map(kept.map(({ topic, partition, offset }) => [partitionKey(topic, partition), offset]));
  return positions.filter(
    ({ topic, partition, offset }) => offset > (reached.get(partitionKey(topic, partition)) ?? -1),
  );
}

function parse(bytes: Buffer | null): unknown {
  try {
    return bytes === null ? undefined : JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

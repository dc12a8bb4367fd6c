/**
 * Where MirrorMaker continues in its source: the positions that its Connect worker keeps in the target, in `mm2-offsets.<source>.internal`.
 * Written before a start, they make it begin there, as Connect's own API for a stopped connector does (KIP-875).
 */
import { type InternalRecord, writeInternalTopic } from './internal-topics.ts';
import type { Direction } from './mirror-maker.ts';

/** MirrorMaker names a connector after its class. */
const CONNECTOR = 'MirrorSourceConnector';

export interface LastCopied {
  topic: string;
  partition: number;
  /** The offset of the last record that is not to be copied any more. */
  offset: bigint;
}

/** Other partitions keep their positions; a new one begins at its first record. */
export async function writeSourcePositions(
  { source, target }: Direction,
  positions: readonly LastCopied[],
): Promise<void> {
  const records = positions.map((position) => encode(source.name, position));
  await writeInternalTopic(target.bootstrap, `mm2-offsets.${source.name}.internal`, records);
}

/** Connect looks the key up by its bytes: the order of the members counts. */
function encode(cluster: string, { topic, partition, offset }: LastCopied): InternalRecord {
  return {
    key: Buffer.from(JSON.stringify([CONNECTOR, { cluster, partition, topic }])),
    value: Buffer.from(`{"offset":${offset}}`),
  };
}

/**
 * MirrorMaker's offset syncs: records of a cluster with their copies in the other one, in the target's topic `mm2-offset-syncs.<source>.internal`.
 * Source: `OffsetSync` of Kafka 4.3.
 */
import { readInternalTopic } from './internal-topics.ts';
import type { Direction } from './mirror-maker.ts';

export interface OffsetSync {
  topic: string;
  partition: number;
  /** The offset in the source. */
  upstream: bigint;
  /** The offset of the copy. */
  downstream: bigint;
}

/** Kafka's STRING begins with its length. */
const LENGTH_BYTES = 2;
const OFFSET_BYTES = 8;

/** All that Kafka has not compacted yet, in their order. */
export async function readSyncs({ source, target }: Direction): Promise<OffsetSync[]> {
  const records = await readInternalTopic(target.bootstrap, topicOf(source.name));
  return records.flatMap(({ key, value }) => (value === null ? [] : [decode(key, value)]));
}

function topicOf(source: string): string {
  return `mm2-offset-syncs.${source}.internal`;
}

function decode(key: Buffer, value: Buffer): OffsetSync {
  const partitionAt = LENGTH_BYTES + key.readUInt16BE(0);
  return {
    topic: key.toString('utf8', LENGTH_BYTES, partitionAt),
    partition: key.readInt32BE(partitionAt),
    upstream: value.readBigInt64BE(0),
    downstream: value.readBigInt64BE(OFFSET_BYTES),
  };
}

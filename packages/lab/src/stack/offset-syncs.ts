/**
 * MirrorMaker's offset syncs: records of a cluster with their copies in the other one, in the target's topic `mm2-offset-syncs.<source>.internal`.
 * Source: `OffsetSync` of Kafka 4.3.
 */
import { type InternalRecord, readInternalTopic, writeInternalTopic } from './internal-topics.ts';
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
const PARTITION_BYTES = 4;
const OFFSET_BYTES = 8;

/** The last one of each partition that MirrorMaker has copied in this direction. */
export async function readLastSyncs(direction: Direction): Promise<OffsetSync[]> {
  const last = new Map((await readSyncs(direction)).map((sync) => [`${sync.partition} ${sync.topic}`, sync]));
  return [...last.values()];
}

/** All that Kafka has not compacted yet, in their order. */
export async function readSyncs({ source, target }: Direction): Promise<OffsetSync[]> {
  const records = await readInternalTopic(target.bootstrap, topicOf(source.name));
  return records.flatMap(({ key, value }) => (value === null ? [] : [decode(key, value)]));
}

/** MirrorMaker takes them for its own. */
export async function writeSyncs({ source, target }: Direction, syncs: readonly OffsetSync[]): Promise<void> {
  await writeInternalTopic(target.bootstrap, topicOf(source.name), syncs.map(encode));
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

function encode({ topic, partition, upstream, downstream }: OffsetSync): InternalRecord {
  const name = Buffer.from(topic);
  const key = Buffer.alloc(LENGTH_BYTES + name.length + PARTITION_BYTES);
  key.writeUInt16BE(name.length, 0);
  name.copy(key, LENGTH_BYTES);
  key.writeInt32BE(partition, LENGTH_BYTES + name.length);
  const value = Buffer.alloc(2 * OFFSET_BYTES);
  value.writeBigInt64BE(upstream, 0);
  value.writeBigInt64BE(downstream, OFFSET_BYTES);
  return { key, value };
}

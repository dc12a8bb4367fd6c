/**
 * MirrorMaker's checkpoints: what groups have committed in the source, in the target's topic `<source>.checkpoints.internal`.
 * Source: `Checkpoint` of Kafka 4.3.
 */
import { readInternalTopic } from './internal-topics.ts';
import type { Direction } from './mirror-maker.ts';

export interface GroupCheckpoint {
  group: string;
  topic: string;
  partition: number;
  /** The committed offset in the source. */
  upstream: bigint;
}

/** Kafka's STRING begins with its length. */
const LENGTH_BYTES = 2;
const VERSION_BYTES = 2;

/** The last one of each group and partition. */
export async function readLastCheckpoints({ source, target }: Direction): Promise<GroupCheckpoint[]> {
  const records = await readInternalTopic(target.bootstrap, `${source.name}.checkpoints.internal`);
  const last = new Map(records.map((record) => [record.key.toString('base64'), record]));
  return [...last.values()].flatMap(({ key, value }) => (value === null ? [] : [decode(key, value)]));
}

function decode(key: Buffer, value: Buffer): GroupCheckpoint {
  const group = textAt(key, 0);
  const topic = textAt(key, group.end);
  return {
    group: group.text,
    topic: topic.text,
    partition: key.readInt32BE(topic.end),
    upstream: value.readBigInt64BE(VERSION_BYTES),
  };
}

function textAt(bytes: Buffer, start: number): { text: string; end: number } {
  const end = start + LENGTH_BYTES + bytes.readUInt16BE(start);
  return { text: bytes.toString('utf8', start + LENGTH_BYTES, end), end };
}

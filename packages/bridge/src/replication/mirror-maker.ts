/**
 * What MirrorMaker 2 writes into the cluster that it fills: the names of its topics and the formats of their records. Source: `OffsetSync`,
 * `Checkpoint` and `ReplicationPolicy` of Kafka 4.3.
 */
import type { TopicPartition } from '../records.ts';

/** A record of the source with its copy: everything before it was copied earlier. */
export interface OffsetSync extends TopicPartition {
  /** The offset in the source. */
  upstream: bigint;
  /** The offset of the copy. */
  downstream: bigint;
}

/** What a group has committed in the source, and where that is in the copy. */
export interface Checkpoint extends OffsetSync {
  group: string;
}

/** The bytes of a record of MirrorMaker, as far as they are needed. */
export interface MirrorRecord {
  key: Buffer | null;
  value: Buffer | null;
}

/** The topic of offset syncs in the target (`offset-syncs.topic.location=target`). */
export function offsetSyncsTopic(source: string): string {
  return `mm2-offset-syncs.${source}.internal`;
}

export function checkpointsTopic(source: string): string {
  return `${source}.checkpoints.internal`;
}

/** The only version of a checkpoint's value. */
const CHECKPOINT_VERSION = 0;
const SYNC_VALUE_BYTES = 16;

/** `undefined` for what is not a sync. */
export function decodeOffsetSync({ key, value }: MirrorRecord): OffsetSync | undefined {
  if (key === null || value?.length !== SYNC_VALUE_BYTES) return undefined;
  const place = placeIn(key, 0);
  if (place === undefined) return undefined;
  return { ...place, upstream: value.readBigInt64BE(0), downstream: value.readBigInt64BE(8) };
}

/** `undefined` for what is not a checkpoint of a known version. */
export function decodeCheckpoint({ key, value }: MirrorRecord): Checkpoint | undefined {
  if (key === null || value === null || value.length < 2 + SYNC_VALUE_BYTES) return undefined;
  if (value.readInt16BE(0) !== CHECKPOINT_VERSION) return undefined;
  const group = textAt(key, 0);
  const place = group === undefined ? undefined : placeIn(key, group.end);
  if (group === undefined || place === undefined) return undefined;
  return { group: group.text, ...place, upstream: value.readBigInt64BE(2), downstream: value.readBigInt64BE(10) };
}

/** The group, topic and partition of a checkpoint's key, whose record may be a tombstone. */
export function decodeCheckpointKey(key: Buffer | null): (TopicPartition & { group: string }) | undefined {
  const group = key === null ? undefined : textAt(key, 0);
  const place = key === null || group === undefined ? undefined : placeIn(key, group.end);
  return group === undefined || place === undefined ? undefined : { group: group.text, ...place };
}

/** As MirrorMaker writes it: for tests, and for what reads it. */
export function encodeOffsetSync({ topic, partition, upstream, downstream }: OffsetSync): MirrorRecord {
  const value = Buffer.alloc(SYNC_VALUE_BYTES);
  value.writeBigInt64BE(upstream, 0);
  value.writeBigInt64BE(downstream, 8);
  return { key: Buffer.concat([text(topic), number(partition)]), value };
}

export function encodeCheckpoint({ group, topic, partition, upstream, downstream }: Checkpoint): MirrorRecord {
  const head = Buffer.alloc(2 + SYNC_VALUE_BYTES);
  head.writeInt16BE(CHECKPOINT_VERSION, 0);
  head.writeBigInt64BE(upstream, 2);
  head.writeBigInt64BE(downstream, 10);
  return {
    key: Buffer.concat([text(group), text(topic), number(partition)]),
    value: Buffer.concat([head, text('')]),
  };
}

/**
 * Whether MirrorMaker never copies a topic, whatever its filters say (`ReplicationPolicy.isInternalTopic`), or not by its default
 * (`DefaultTopicFilter`).
 */
export function isNeverMirrored(topic: string): boolean {
  return /^(?:__|\.)/.test(topic) || /[.-]internal$/.test(topic) || /\.replica$/.test(topic);
}

function placeIn(key: Buffer, start: number): TopicPartition | undefined {
  const topic = textAt(key, start);
  if (topic === undefined || key.length !== topic.end + 4) return undefined;
  return { topic: topic.text, partition: key.readInt32BE(topic.end) };
}

/** Kafka's STRING: the length in two bytes, then UTF-8. */
function textAt(bytes: Buffer, start: number): { text: string; end: number } | undefined {
  if (start + 2 > bytes.length) return undefined;
  const end = start + 2 + bytes.readUInt16BE(start);
  return end > bytes.length ? undefined : { text: bytes.toString('utf8', start + 2, end), end };
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

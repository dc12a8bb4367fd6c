/** Records as the bridge handles them between HTTP and Kafka: keys and values are bytes. */

import type { BridgeError } from './errors.ts';

/** A header; Kafka allows a null value. */
export type RecordHeader = [key: Buffer, value: Buffer | null];

/** A record on its way to Kafka. */
export interface RecordToProduce {
  /** `null`: none. */
  key: Buffer | null;
  /** `null`: a tombstone. */
  value: Buffer | null;
  headers: RecordHeader[] | undefined;
  /** Asked for by the client; `undefined`: by key, or any. */
  partition: number | undefined;
  /** `undefined`: when it is sent. */
  timestampMs: bigint | undefined;
}

/** What became of a produced record. Both are expected results, not errors of the bridge. */
export type ProduceResult = { partition: number; offset: bigint } | { errorCode: number; message: string };

/** A record that Kafka holds. */
export interface StoredRecord {
  topic: string;
  partition: number;
  offset: bigint;
  timestampMs: bigint;
  key: Buffer | null;
  value: Buffer | null;
  headers: readonly (readonly [Buffer | null, Buffer | null])[];
  /** Why it cannot be read: it stands for its whole batch, and has nothing of the above but its place. */
  damage?: BridgeError;
}

export interface TopicPartition {
  topic: string;
  partition: number;
}

/** A partition with an offset of it: a position, or what is committed (the next offset to read). */
export interface PartitionOffset extends TopicPartition {
  offset: bigint;
}

/** Where a partition begins and ends; the end is the offset of the next record. */
export interface OffsetRange {
  beginning: bigint;
  end: bigint;
}

/** One string for a topic's partition, for maps. Topic names hold no colon. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}

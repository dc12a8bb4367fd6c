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
  /** Chosen by the client; `undefined`: by key, or any. */
  partition: number | undefined;
  /** `undefined`: the time at which it is sent. */
  timestampMs: bigint | undefined;
}

/** The result of a produced record. Both are expected, and not errors of the bridge. */
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
  /** Why it cannot be read: the record then stands for its whole batch, and only its place is set. */
  damage?: BridgeError;
}

export interface TopicPartition {
  topic: string;
  partition: number;
}

/** A partition with an offset: a position, or a committed offset (the next one to read). */
export interface PartitionOffset extends TopicPartition {
  offset: bigint;
}

/** Where a partition begins and ends; the end is the offset of the next record. */
export interface OffsetRange {
  beginning: bigint;
  end: bigint;
}

/** A key for maps by partition. Topic names have no colon. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}:${partition}`;
}

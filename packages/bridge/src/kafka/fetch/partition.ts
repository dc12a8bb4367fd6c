/** One partition of a consumer: its position, and records that were fetched and not yet taken. */
import type { TopicPartition } from '../../records.ts';
import type { OffsetSpec } from '../client/list-offsets.ts';
import { appended, EMPTY_BUFFER, hasRecords, type RecordBuffer } from './record-buffer.ts';

/** An end of the partition, or the one that the consumer's reset policy names. */
export type ResetTarget = OffsetSpec | 'policy';

export interface Partition extends TopicPartition {
  /** Of the topic that the position is of; `undefined` until something is fetched from it. */
  topicId: string | undefined;
  /** The next offset to deliver; `undefined` until it is found. */
  position: bigint | undefined;
  /** The offset that the group has committed, as far as this consumer knows. */
  committed: bigint | undefined;
  /** Where to find an unknown position; `undefined`: at the committed offset, if there is one. */
  resetTo: ResetTarget | undefined;
  buffer: RecordBuffer;
  /** The end of the records that consumers may see, as last reported; `undefined` before that. */
  logEnd: bigint | undefined;
}

/** Without a position. */
export function newPartition(topic: string, partition: number): Partition {
  return {
    topic,
    partition,
    topicId: undefined,
    position: undefined,
    committed: undefined,
    resetTo: undefined,
    buffer: EMPTY_BUFFER,
    logEnd: undefined,
  };
}

/** Where the next fetch begins; `undefined` when the position must be found first. */
export function nextOffset({ position, buffer }: Partition): bigint | undefined {
  return position !== undefined && hasRecords(buffer) ? buffer.end : position;
}

/** Whether there is more to fetch than was fetched. */
export function isBehind(partition: Partition): boolean {
  const next = nextOffset(partition);
  return next !== undefined && partition.logEnd !== undefined && next < partition.logEnd;
}

/** Takes what was fetched from {@link nextOffset} on. */
export function accept(partition: Partition, fetched: RecordBuffer): void {
  partition.buffer = appended(partition.buffer, fetched);
  // Nothing to deliver before what comes next: markers, aborted records, a compacted tail.
  if (!hasRecords(partition.buffer)) partition.position = fetched.end;
}

/** Reads the buffered records of several partitions, one after another, without taking them. */
import { BridgeError } from '../../errors.ts';
import type { StoredRecord, TopicPartition } from '../../records.ts';
import type { Partition } from './partition.ts';
import type { RecordBatch } from './record-batches.ts';
import { FIRST_RECORD, type RecordBuffer, type RecordPlace } from './record-buffer.ts';
import { RecordCursor } from './record-cursor.ts';

/** Attribute bit of a batch whose records have the time at which the broker stored it. */
const LOG_APPEND_TIME = 1 << 3;

/** How far a partition was read. */
export interface ReadTo {
  partition: Partition;
  /** What it had when the reading began. */
  buffer: RecordBuffer;
  /** Whole batches. */
  batchCount: number;
  /** In the batch after them. */
  next: RecordPlace;
  /** The next offset to read. */
  position: bigint;
}

/** One partition's part of the reading. */
interface Part {
  partition: Partition;
  buffer: RecordBuffer;
  batchIndex: number;
  index: number;
}

const EMPTY = Buffer.alloc(0);

/** Fields are of the record that {@link next} read; keys and values are in `cursor`. */
export class RecordReader {
  readonly #maxCount: number;
  readonly #parts: Part[];
  #partIndex = 0;
  /** How many records were read. */
  count = 0;
  cursor = new RecordCursor(EMPTY);
  #batch: RecordBatch | undefined;
  /** Of the batch: a number is exact for all that occur in practice, and prints several times faster. */
  #firstOffset: number | bigint = 0;
  #timestampMs: number | bigint = 0;
  #hasAppendTime = false;
  /** The place of the record that was read last, and whether it was put back. */
  #lastAt = 0;
  #lastIndex = 0;
  #isBack = false;
  /** Of a record that stands for the rest of a batch that cannot be read. */
  damage: BridgeError | undefined;
  #damagedOffset = 0n;
  /** Of the record before it. */
  #lastOffsetDelta = 0;

  constructor(partitions: readonly Partition[], maxCount: number) {
    this.#maxCount = maxCount;
    this.#parts = partitions.map((partition) => {
      const { buffer } = partition;
      return { partition, buffer, batchIndex: 0, index: buffer.next.index };
    });
  }

  /** Goes to the next record, if there is one. */
  next(): boolean {
    if (this.count === this.#maxCount) return false;
    const part = this.#partWithRecords();
    if (part === undefined) return false;
    this.#isBack = false;
    this.damage = undefined;
    this.#lastAt = part.batchIndex === 0 && part.index === part.buffer.next.index ? part.buffer.next.at : 0;
    this.#lastIndex = part.index;
    this.count += 1;
    try {
      this.#enter(part);
      this.#lastAt = this.cursor.at;
      this.#lastOffsetDelta = this.cursor.offsetDelta;
      this.cursor.next();
      part.index += 1;
    } catch (cause) {
      this.#damage(part, cause);
    }
    return true;
  }

  /** Puts the last record back: once, before the next is read. */
  back(): void {
    const part = this.#parts[this.#partIndex];
    if (part === undefined || this.count === 0) return;
    part.index = this.#lastIndex;
    this.count -= 1;
    this.cursor.at = this.#lastAt;
    this.#isBack = true;
  }

  /** Starts again at the first record. */
  restart(): void {
    for (const part of this.#parts) Object.assign(part, { batchIndex: 0, index: part.buffer.next.index });
    this.#partIndex = 0;
    this.count = 0;
    this.#batch = undefined;
  }

  get topic(): string {
    return this.#partition.topic;
  }

  get partition(): number {
    return this.#partition.partition;
  }

  get offset(): number | bigint {
    if (this.damage !== undefined) return this.#damagedOffset;
    const first = this.#firstOffset;
    const { offsetDelta } = this.cursor;
    return typeof first === 'number' ? first + offsetDelta : first + BigInt(offsetDelta);
  }

  get timestampMs(): number | bigint {
    const first = this.#timestampMs;
    if (this.#hasAppendTime) return first;
    const { timestampDeltaMs } = this.cursor;
    if (typeof first === 'number' && typeof timestampDeltaMs === 'number') {
      const timestampMs = first + timestampDeltaMs;
      if (timestampMs <= Number.MAX_SAFE_INTEGER) return timestampMs;
    }
    return BigInt(first) + BigInt(timestampDeltaMs);
  }

  /** The record that was read last, by itself. */
  get record(): StoredRecord {
    const { topic, partition, cursor } = this;
    const { key, value, headers } = cursor;
    return {
      topic,
      partition,
      offset: BigInt(this.offset),
      timestampMs: BigInt(this.timestampMs),
      key,
      value,
      headers,
    };
  }

  /** The most records that can be read, and about how many bytes of the log they take. */
  get expected(): { count: number; bytes: number } {
    let [count, bytes] = [0, 0];
    for (const { buffer } of this.#parts) {
      for (const { storedBytes, recordCount } of buffer.batches) {
        if (count === this.#maxCount) break;
        const share = Math.min(1, (this.#maxCount - count) / recordCount);
        count += Math.round(recordCount * share);
        bytes += Math.ceil(storedBytes * share);
      }
    }
    return { count, bytes };
  }

  /** How far each partition was read; without partitions that were not read. */
  get readTo(): ReadTo[] {
    return this.#parts.flatMap(({ partition, buffer, batchIndex, index }) => {
      if (batchIndex === 0 && index === buffer.next.index) return [];
      const batch = buffer.batches[batchIndex];
      if (batch === undefined || index >= batch.recordCount) {
        // No more than there were: what has been fetched since is behind them.
        const batchCount = Math.min(batchIndex + 1, buffer.batches.length);
        const position = buffer.batches[batchCount]?.firstOffset ?? buffer.end;
        return [{ partition, buffer, batchCount, next: FIRST_RECORD, position }];
      }
      // Only the last of them is read in part, and the cursor is where that ends.
      const { at, offsetDelta } = this.cursor;
      const position = this.#isBack ? BigInt(this.offset) : batch.firstOffset + BigInt(offsetDelta + 1);
      return [{ partition, buffer, batchCount: batchIndex, next: { index, at }, position }];
    });
  }

  get #partition(): Partition {
    return (this.#parts[this.#partIndex] as Part).partition;
  }

  /** The part whose next record comes, with the cursor in front of it. */
  #partWithRecords(): Part | undefined {
    while (true) {
      const part = this.#parts[this.#partIndex];
      if (part === undefined) return undefined;
      const batch = part.buffer.batches[part.batchIndex];
      if (batch === undefined) {
        if (this.#partIndex === this.#parts.length - 1) return undefined;
        this.#partIndex += 1;
      } else if (part.index < batch.recordCount) {
        return part;
      } else {
        part.batchIndex += 1;
        part.index = 0;
      }
    }
  }

  /** Puts the cursor in front of the part's next record. Errors: of batches that cannot be decompressed. */
  #enter({ batchIndex, buffer }: Part): void {
    const batch = buffer.batches[batchIndex] as RecordBatch;
    if (batch === this.#batch) return;
    this.#firstOffset = plain(batch.firstOffset);
    this.#hasAppendTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
    this.#timestampMs = plain(this.#hasAppendTime ? batch.maxTimestampMs : batch.firstTimestampMs);
    this.cursor = new RecordCursor(batch.records, batchIndex === 0 ? buffer.next.at : 0);
    this.#batch = batch;
  }

  /** Shows the rest of the batch as one record: its bytes are the same at every attempt, and a client can seek past it. */
  #damage(part: Part, cause: unknown): void {
    const { topic, partition, position = 0n } = part.partition;
    const batch = part.buffer.batches[part.batchIndex] as RecordBatch;
    const isBegun = batch === this.#batch && part.index > (part.batchIndex === 0 ? part.buffer.next.index : 0);
    if (isBegun) this.#damagedOffset = batch.firstOffset + BigInt(this.#lastOffsetDelta + 1);
    else this.#damagedOffset = part.batchIndex === 0 && position > batch.firstOffset ? position : batch.firstOffset;
    part.index = batch.recordCount;
    this.#batch = undefined;
    this.damage = unreadable({ topic, partition }, cause);
  }
}

/** The error of Kafka's consumer in Java. */
export function unreadable({ topic, partition }: TopicPartition, cause: unknown): BridgeError {
  const message = `org.apache.kafka.common.KafkaException: Received exception when fetching the next record from ${topic}-${partition}. If needed, please seek past the record to continue consumption.`;
  return new BridgeError('kafkaRefused', { message, cause });
}

/** A number, if that leaves room for the differences within a batch. */
function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Math.abs(number) <= Number.MAX_SAFE_INTEGER / 2 ? number : value;
}

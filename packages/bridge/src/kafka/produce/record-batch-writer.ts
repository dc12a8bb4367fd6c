/** Writes record batches (format 2) into one buffer: https://kafka.apache.org/documentation/#recordbatch */
import { crc32c, Writer } from '@platformatic/kafka';
import type { RecordToProduce } from '../../records.ts';
import {
  ATTRIBUTES_AT,
  CRC_AT,
  FIRST_SEQUENCE_AT,
  FIRST_TIMESTAMP_AT,
  HEAD_BYTES,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PREFIX_BYTES,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  TRANSACTIONAL,
} from '../record-batch-layout.ts';

const MAGIC = 2;
/** Identifies a batch, so that a broker recognizes one that was sent again. */
export interface BatchStamp {
  producerId: bigint;
  epoch: number;
  /** The number of the first record; later ones have the following numbers. */
  sequence: number;
  /** Whether readers of committed records wait for the end of a transaction. Default: false. */
  isTransactional?: boolean;
}

/** The stamp of a producer that is neither idempotent nor transactional. */
const NO_STAMP: BatchStamp = { producerId: -1n, epoch: -1, sequence: -1 };
/** A null key or value, instead of its length. */
const NULL_LENGTH = -1;
/** The longest attributes (unused), timestamp delta (64 bits), offset delta and count of headers. */
const RECORD_OVERHEAD_BYTES = 1 + 10 + 5 + 5;
/** Shorter fields are copied byte by byte: a call costs more. */
const SHORT_FIELD_BYTES = 32;

/** The batch of records that are sent together; those without a timestamp get `nowMs`. Timestamps may be any distance apart. */
export function writeBatch(records: readonly RecordToProduce[], nowMs: bigint, stamp = NO_STAMP): Buffer {
  const target = Buffer.allocUnsafe(HEAD_BYTES + records.reduce((sum, record) => sum + maxRecordBytes(record), 0));
  const firstTimestampMs = records[0]?.timestampMs ?? nowMs;
  const nowDeltaMs = narrowed(nowMs - firstTimestampMs);
  const cursor = new WriteCursor(target, HEAD_BYTES);
  let maxDeltaMs: number | bigint = 0;
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index] as RecordToProduce;
    const deltaMs = record.timestampMs === undefined ? nowDeltaMs : narrowed(record.timestampMs - firstTimestampMs);
    if (deltaMs > maxDeltaMs) maxDeltaMs = deltaMs;
    cursor.record(record, index, deltaMs);
  }
  const batch = target.subarray(0, cursor.at);
  writeHead(batch, {
    recordCount: records.length,
    stamp,
    firstTimestampMs,
    maxTimestampMs: firstTimestampMs + BigInt(maxDeltaMs),
  });
  return batch;
}

interface BatchHead {
  recordCount: number;
  firstTimestampMs: bigint;
  maxTimestampMs: bigint;
  stamp: BatchStamp;
}

function writeHead(batch: Buffer, { recordCount, firstTimestampMs, maxTimestampMs, stamp }: BatchHead): void {
  batch.fill(0, 0, LENGTH_AT);
  batch.writeInt32BE(-1, LEADER_EPOCH_AT);
  batch.writeInt8(MAGIC, MAGIC_AT);
  batch.writeInt32BE(recordCount - 1, LAST_OFFSET_DELTA_AT);
  batch.writeBigInt64BE(firstTimestampMs, FIRST_TIMESTAMP_AT);
  batch.writeBigInt64BE(maxTimestampMs, MAX_TIMESTAMP_AT);
  batch.writeBigInt64BE(stamp.producerId, PRODUCER_ID_AT);
  batch.writeInt16BE(stamp.epoch, PRODUCER_EPOCH_AT);
  batch.writeInt32BE(stamp.sequence, FIRST_SEQUENCE_AT);
  batch.writeInt32BE(recordCount, RECORD_COUNT_AT);
  batch.writeInt16BE(stamp.isTransactional === true ? TRANSACTIONAL : 0, ATTRIBUTES_AT);
  sealBatch(batch, 0);
}

/** Writes the fields that depend on all bytes: length, compression (0: none) and checksum. */
export function sealBatch(batch: Buffer, compression: number): void {
  batch.writeInt32BE(batch.length - PREFIX_BYTES, LENGTH_AT);
  batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | compression, ATTRIBUTES_AT);
  // The library uses bytes in this wrapper as they are, and would copy a plain buffer.
  const checked = Writer.create().append(batch.subarray(ATTRIBUTES_AT)).dynamicBuffer;
  batch.writeUInt32BE(crc32c(checked), CRC_AT);
}

function maxRecordBytes({ key, value, headers }: RecordToProduce): number {
  let bytes = 5 + RECORD_OVERHEAD_BYTES + maxFieldBytes(key) + maxFieldBytes(value);
  if (headers !== undefined)
    for (const [name, content] of headers) bytes += maxFieldBytes(name) + maxFieldBytes(content);
  return bytes;
}

function maxFieldBytes(field: Buffer | null): number {
  return 5 + (field?.length ?? 0);
}

/** A timestamp delta as a number where 32 bits hold it, which is quicker to write. */
function narrowed(deltaMs: bigint): number | bigint {
  const narrow = Number(deltaMs);
  return narrow === (narrow | 0) ? narrow : deltaMs;
}

/** Writes zigzag varints and varlongs, and bytes that begin with their length as a varint. */
class WriteCursor {
  at: number;
  readonly #target: Buffer;

  constructor(target: Buffer, at: number) {
    this.#target = target;
    this.at = at;
  }

  record(record: RecordToProduce, offsetDelta: number, timestampDeltaMs: number | bigint): void {
    const { key, value, headers } = record;
    const timestampBytes =
      typeof timestampDeltaMs === 'number' ? varintBytes(timestampDeltaMs) : varlongBytes(timestampDeltaMs);
    let bytes = 1 + timestampBytes + varintBytes(offsetDelta) + fieldBytes(key) + fieldBytes(value);
    bytes += varintBytes(headers?.length ?? 0);
    if (headers !== undefined) for (const [name, content] of headers) bytes += fieldBytes(name) + fieldBytes(content);
    this.varint(bytes);
    this.#target[this.at] = 0;
    this.at += 1;
    if (typeof timestampDeltaMs === 'number') this.varint(timestampDeltaMs);
    else this.varlong(timestampDeltaMs);
    this.varint(offsetDelta);
    this.field(key);
    this.field(value);
    this.varint(headers?.length ?? 0);
    if (headers === undefined) return;
    for (const [name, content] of headers) {
      this.field(name);
      this.field(content);
    }
  }

  varint(value: number): void {
    const target = this.#target;
    let rest = zigzag(value);
    while (rest >= 0x80) {
      target[this.at] = (rest & 0x7f) | 0x80;
      this.at += 1;
      rest >>>= 7;
    }
    target[this.at] = rest;
    this.at += 1;
  }

  /** 64 bits, seven at a time from two numbers: arithmetic on a `bigint` makes a new one at every step. */
  varlong(value: bigint): void {
    const target = this.#target;
    const bits = zigzag64(value);
    let high = Number(bits >> 32n);
    let low = Number(bits & 0xffff_ffffn);
    while (high > 0 || low >= 0x80) {
      target[this.at] = (low & 0x7f) | 0x80;
      this.at += 1;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    target[this.at] = low;
    this.at += 1;
  }

  field(field: Buffer | null): void {
    if (field === null) {
      this.varint(NULL_LENGTH);
      return;
    }
    const { length } = field;
    this.varint(length);
    if (length > SHORT_FIELD_BYTES) this.#target.set(field, this.at);
    else for (let index = 0; index < length; index += 1) this.#target[this.at + index] = field[index] as number;
    this.at += length;
  }
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function zigzag64(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

/** Of a number that 32 bits do not hold: it has more than the two bytes that are not looked at, and the rest is exact. */
function varlongBytes(value: bigint): number {
  let bytes = 3;
  for (let rest = Number(zigzag64(value) >> 14n); rest >= 0x80; rest /= 128) bytes += 1;
  return bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest >>>= 7) bytes += 1;
  return bytes;
}

function fieldBytes(field: Buffer | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length;
}

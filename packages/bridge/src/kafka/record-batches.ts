/** Record batches as brokers store and send them (format 2): https://kafka.apache.org/documentation/#recordbatch */
import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka';

/** The head of a batch, and its records, not yet read. */
export interface RecordBatch {
  firstOffset: bigint;
  lastOffsetDelta: number;
  attributes: number;
  firstTimestampMs: bigint;
  maxTimestampMs: bigint;
  producerId: bigint;
  recordCount: number;
  /** Decompressed; empty when that failed. */
  records: Buffer;
  /** Why the records cannot be read. */
  damage?: unknown;
}

/** One record of a batch. Keys, values and headers are parts of the batch's bytes. */
export interface BatchedRecord {
  timestampDeltaMs: number;
  offsetDelta: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: readonly (readonly [Buffer | null, Buffer | null])[];
}

/** Bytes of a batch before those that its length counts: first offset (8), length (4). */
const PREFIX_BYTES = 12;
const LENGTH_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const FIRST_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const RECORD_COUNT_AT = 57;
const RECORDS_AT = 61;
const COMPRESSION = 0b111;
const EMPTY = Buffer.alloc(0);
const NO_HEADERS: BatchedRecord['headers'] = [];

export interface BatchReading {
  /** Whether each batch's checksum is compared. */
  isChecking: boolean;
}

/**
 * Every batch that is there as a whole: the broker cuts the last one off where the size of the fetch ends.
 * Errors: `RangeError` when the first one is none, so that nobody knows where the next one begins.
 */
export function readBatches(bytes: Buffer, reading: BatchReading = { isChecking: true }): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let start = 0; bytes.length - start >= RECORDS_AT; ) {
    const end = start + PREFIX_BYTES + bytes.readInt32BE(start + LENGTH_AT);
    if (end > bytes.length) break;
    if (end < start + RECORDS_AT) {
      // What comes before it is delivered first.
      if (batches.length > 0) break;
      throw new RangeError(`a record batch of ${end - start} bytes`);
    }
    batches.push(readBatch(bytes.subarray(start, end), reading));
    start = end;
  }
  return batches;
}

function readBatch(bytes: Buffer, { isChecking }: BatchReading): RecordBatch {
  const attributes = bytes.readInt16BE(ATTRIBUTES_AT);
  let records: Buffer = EMPTY;
  let damage: unknown;
  try {
    if (isChecking && crc32c(bytes.subarray(ATTRIBUTES_AT)) !== bytes.readUInt32BE(CRC_AT)) {
      throw new RangeError('the checksum of the record batch does not fit');
    }
    records = decompressed(bytes.subarray(RECORDS_AT), attributes & COMPRESSION);
  } catch (error) {
    damage = error;
  }
  return {
    ...(damage === undefined ? {} : { damage }),
    firstOffset: bytes.readBigInt64BE(0),
    lastOffsetDelta: bytes.readInt32BE(LAST_OFFSET_DELTA_AT),
    attributes,
    firstTimestampMs: bytes.readBigInt64BE(FIRST_TIMESTAMP_AT),
    maxTimestampMs: bytes.readBigInt64BE(MAX_TIMESTAMP_AT),
    producerId: bytes.readBigInt64BE(PRODUCER_ID_AT),
    recordCount: bytes.readInt32BE(RECORD_COUNT_AT),
    records,
  };
}

function decompressed(bytes: Buffer, compression: number): Buffer {
  if (compression === 0) return bytes;
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm === undefined) throw new TypeError(`unknown compression ${compression}`);
  return algorithm.decompressSync(bytes);
}

/** The records of a batch, in order. Errors: `RangeError` for bytes that are no batch, those of decompressing it. */
export function readRecords(batch: RecordBatch): BatchedRecord[] {
  if (batch.damage !== undefined) throw batch.damage;
  const cursor = new Cursor(batch.records);
  const records: BatchedRecord[] = [];
  for (let index = 0; index < batch.recordCount; index += 1) {
    const end = cursor.varint() + cursor.at;
    // Attributes: none are defined.
    cursor.at += 1;
    const timestampDeltaMs = cursor.varlong();
    const offsetDelta = cursor.varint();
    const key = cursor.bytes();
    const value = cursor.bytes();
    records.push({ timestampDeltaMs, offsetDelta, key, value, headers: readHeaders(cursor) });
    cursor.at = end;
  }
  return records;
}

function readHeaders(cursor: Cursor): BatchedRecord['headers'] {
  const count = cursor.varint();
  if (count === 0) return NO_HEADERS;
  return Array.from({ length: count }, () => [cursor.bytes(), cursor.bytes()] as const);
}

/** Reads zigzag varints, and bytes that begin with their length as one. */
class Cursor {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  varint(): number {
    const bytes = this.#bytes;
    let byte = this.#byte(bytes);
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = this.#byte(bytes);
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** Exact to 2^52: more than 140,000 years of milliseconds. */
  varlong(): number {
    const bytes = this.#bytes;
    let byte = this.#byte(bytes);
    let value = byte & 0x7f;
    for (let factor = 128; byte >= 0x80; factor *= 128) {
      byte = this.#byte(bytes);
      value += (byte & 0x7f) * factor;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.at;
    this.at += length;
    return this.#bytes.subarray(start, this.at);
  }

  #byte(bytes: Buffer): number {
    const byte = bytes[this.at];
    if (byte === undefined) throw new RangeError('the record batch ends too early');
    this.at += 1;
    return byte;
  }
}

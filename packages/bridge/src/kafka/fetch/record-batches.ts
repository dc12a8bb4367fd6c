/** Record batches as brokers store and send them (format 2): https://kafka.apache.org/documentation/#recordbatch */
import { compressionsAlgorithmsByBitmask, crc32c, Writer } from '@platformatic/kafka';
import {
  ATTRIBUTES_AT,
  CRC_AT,
  FIRST_TIMESTAMP_AT,
  HEAD_BYTES,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  MAX_TIMESTAMP_AT,
  PREFIX_BYTES,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
} from '../record-batch-layout.ts';

const COMPRESSION = 0b111;

/** A batch as it was fetched. */
export class RecordBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly firstTimestampMs: bigint;
  readonly maxTimestampMs: bigint;
  readonly producerId: bigint;
  readonly recordCount: number;
  /** With its head. */
  readonly storedBytes: number;
  readonly #stored: Buffer;
  readonly #isChecking: boolean;
  #records: Buffer | undefined;

  constructor(bytes: Buffer, { isChecking }: BatchReading) {
    this.firstOffset = bytes.readBigInt64BE(0);
    this.lastOffsetDelta = bytes.readInt32BE(LAST_OFFSET_DELTA_AT);
    this.attributes = bytes.readInt16BE(ATTRIBUTES_AT);
    this.firstTimestampMs = bytes.readBigInt64BE(FIRST_TIMESTAMP_AT);
    this.maxTimestampMs = bytes.readBigInt64BE(MAX_TIMESTAMP_AT);
    this.producerId = bytes.readBigInt64BE(PRODUCER_ID_AT);
    this.recordCount = bytes.readInt32BE(RECORD_COUNT_AT);
    this.storedBytes = bytes.length;
    this.#stored = bytes;
    this.#isChecking = isChecking;
  }

  /**
   * The records one after another, checked and decompressed when they are first asked for.
   * Errors: `RangeError` when the checksum does not match; those of decompression.
   */
  get records(): Buffer {
    this.#records ??= this.#read();
    return this.#records;
  }

  /** Frees decompressed records, of a batch that was taken: they are decompressed again if it is taken back. */
  release(): void {
    if ((this.attributes & COMPRESSION) !== 0) this.#records = undefined;
  }

  #read(): Buffer {
    if (this.#isChecking && !hasChecksum(this.#stored)) {
      throw new RangeError('the checksum of the record batch does not match');
    }
    return decompressed(this.#stored.subarray(HEAD_BYTES), this.attributes & COMPRESSION);
  }

  /** The offset after the last one of the batch. */
  get end(): bigint {
    return this.firstOffset + BigInt(this.lastOffsetDelta) + 1n;
  }
}

export interface BatchReading {
  /** Whether each batch's checksum is compared. */
  isChecking: boolean;
}

/**
 * Every complete batch: the broker cuts the last one off where the size of the fetch ends.
 * Errors: `RangeError` when the first bytes are not a batch, so that the start of the next one is unknown.
 */
export function readBatches(bytes: Buffer, reading: BatchReading = { isChecking: true }): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let start = 0; bytes.length - start >= HEAD_BYTES; ) {
    const end = start + PREFIX_BYTES + bytes.readInt32BE(start + LENGTH_AT);
    if (end > bytes.length) break;
    if (end < start + HEAD_BYTES) {
      // The batches before it are delivered first.
      if (batches.length > 0) break;
      throw new RangeError(`a record batch of ${end - start} bytes`);
    }
    batches.push(new RecordBatch(bytes.subarray(start, end), reading));
    start = end;
  }
  return batches;
}

function hasChecksum(batch: Buffer): boolean {
  // The library uses bytes in this wrapper as they are, and would copy a plain buffer.
  const checked = Writer.create().append(batch.subarray(ATTRIBUTES_AT)).dynamicBuffer;
  return crc32c(checked) === batch.readUInt32BE(CRC_AT);
}

function decompressed(bytes: Buffer, compression: number): Buffer {
  if (compression === 0) return bytes;
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm === undefined) throw new TypeError(`unknown compression ${compression}`);
  return algorithm.decompressSync(bytes);
}

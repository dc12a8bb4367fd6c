/** Reads the records of a batch in place, without making objects of them. */

type Headers = readonly (readonly [Buffer | null, Buffer | null])[];

/** The start of a null field. */
export const NULL_FIELD = -1;

/** 64 bits, seven a byte. */
const MAX_VARLONG_BYTES = 10;

const NO_HEADERS: Headers = [];

/** Fields are of the record that was read last; keys and values are parts of {@link bytes}. */
export class RecordCursor {
  readonly bytes: Buffer;
  /** A `bigint` where a number does not hold it exactly. */
  timestampDeltaMs: number | bigint = 0;
  offsetDelta = 0;
  keyStart = NULL_FIELD;
  keyEnd = NULL_FIELD;
  valueStart = NULL_FIELD;
  valueEnd = NULL_FIELD;
  /** Where the next record begins. */
  at: number;
  /** Bytes of the whole record. */
  recordBytes = 0;
  #headersAt = 0;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Reads the next record; there must be one. Errors: `RangeError` for bytes that are not a record. */
  next(): void {
    const length = this.#varint();
    const end = this.at + length;
    if (length < 0 || end > this.bytes.length) throw endsTooEarly();
    this.recordBytes = length;
    // Attributes: none are defined.
    this.at += 1;
    this.timestampDeltaMs = this.#varlong();
    this.offsetDelta = this.#varint();
    const keyBytes = this.#varint();
    this.keyStart = keyBytes < 0 ? NULL_FIELD : this.at;
    if (keyBytes > 0) this.at += keyBytes;
    this.keyEnd = this.at;
    const valueBytes = this.#varint();
    this.valueStart = valueBytes < 0 ? NULL_FIELD : this.at;
    if (valueBytes > 0) this.at += valueBytes;
    this.valueEnd = this.at;
    this.#headersAt = this.at;
    if (this.at > end) throw endsTooEarly();
    this.at = end;
  }

  get key(): Buffer | null {
    return this.keyStart === NULL_FIELD ? null : this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  get value(): Buffer | null {
    return this.valueStart === NULL_FIELD ? null : this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  get hasHeaders(): boolean {
    return this.bytes[this.#headersAt] !== 0;
  }

  get headers(): Headers {
    const reader = new RecordCursor(this.bytes, this.#headersAt);
    const count = reader.#varint();
    if (count === 0) return NO_HEADERS;
    return Array.from({ length: count }, () => [reader.#field(), reader.#field()] as const);
  }

  /** The same, at most so many at a time. */
  *headersInParts(maxCount: number): Generator<Headers, void> {
    const reader = new RecordCursor(this.bytes, this.#headersAt);
    for (let count = reader.#varint(); count > 0; count -= maxCount) {
      const length = Math.min(count, maxCount);
      yield Array.from({ length }, () => [reader.#field(), reader.#field()] as const);
    }
  }

  #field(): Buffer | null {
    const length = this.#varint();
    if (length < 0) return null;
    const start = this.at;
    this.at += length;
    return this.bytes.subarray(start, this.at);
  }

  /** A zigzag varint of 32 bits. */
  #varint(): number {
    let byte = this.#byte();
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = this.#byte();
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** A zigzag varint of 64 bits. */
  #varlong(): number | bigint {
    const start = this.at;
    let byte = this.#byte();
    let value = byte & 0x7f;
    for (let factor = 128; byte >= 0x80; factor *= 128) {
      byte = this.#byte();
      value += (byte & 0x7f) * factor;
    }
    if (value > Number.MAX_SAFE_INTEGER) return zigzagOf(this.bytes.subarray(start, this.at));
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw endsTooEarly();
    this.at += 1;
    return byte;
  }
}

/** The number of which these bytes are the zigzag varint. */
function zigzagOf(bytes: Buffer): bigint {
  if (bytes.length > MAX_VARLONG_BYTES) throw new RangeError('a number in the record batch is longer than 64 bits');
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 7n) | BigInt(byte & 0x7f);
  return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
}

function endsTooEarly(): RangeError {
  return new RangeError('the record batch ends too early');
}

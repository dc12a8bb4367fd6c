/** Text that grows in one buffer, without a string of the whole, which would have to be encoded again. */

/** Shorter pieces are copied byte by byte: a call costs as much as this many bytes. */
const SHORT_BYTES = 24;
const ZERO = 0x30;
/** Numbers are written in two halves, each a fast integer: digits of the lower one. */
const LOWER_HALF = 1e8;
const LOWER_DIGITS = 8;
/** Decimal digits of the largest safe integer. */
const MAX_DIGITS = 16;

export class TextBuffer {
  #target: Buffer;
  #end = 0;

  constructor(expectedBytes: number) {
    this.#target = Buffer.allocUnsafe(expectedBytes);
  }

  /** In bytes. */
  get length(): number {
    return this.#end;
  }

  /** The text, in the buffer itself. */
  get bytes(): Buffer {
    return this.#target.subarray(0, this.#end);
  }

  /** Adds text that has ASCII characters only. */
  ascii(text: string): void {
    const { length } = text;
    this.#grow(length);
    if (length > SHORT_BYTES) this.#target.write(text, this.#end, 'latin1');
    else for (let index = 0; index < length; index += 1) this.#target[this.#end + index] = text.charCodeAt(index);
    this.#end += length;
  }

  /** Adds one character of ASCII. */
  character(code: number): void {
    this.#grow(1);
    this.#target[this.#end] = code;
    this.#end += 1;
  }

  /** Adds bytes that recur: several times faster than text of that length. */
  piece(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#grow(length);
    this.#target.set(bytes, this.#end);
    this.#end += length;
  }

  /** Adds any text. */
  unicode(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#grow(bytes);
    this.#end += this.#target.write(text, this.#end, bytes);
  }

  /** Adds an integer in decimal. */
  integer(value: number | bigint): void {
    if (typeof value === 'bigint' || value < 0 || value > Number.MAX_SAFE_INTEGER) {
      this.ascii(String(value));
      return;
    }
    this.#grow(MAX_DIGITS);
    const upper = Math.floor(value / LOWER_HALF) | 0;
    if (upper > 0) this.#digits(upper, digitCount(upper));
    const lower = (value - upper * LOWER_HALF) | 0;
    this.#digits(lower, upper > 0 ? LOWER_DIGITS : digitCount(lower));
  }

  /** Adds a part of other UTF-8 bytes, unchanged. */
  utf8(bytes: Buffer, start = 0, end = bytes.length): void {
    const length = end - start;
    this.#grow(length);
    const target = this.#target;
    if (length > SHORT_BYTES) bytes.copy(target, this.#end, start, end);
    else for (let index = 0; index < length; index += 1) target[this.#end + index] = bytes[start + index] as number;
    this.#end += length;
  }

  /** Back to an earlier {@link length}. */
  cut(length: number): void {
    this.#end = length;
  }

  /** The buffer has room for them. */
  #digits(value: number, count: number): void {
    let rest = value;
    for (let at = this.#end + count - 1; at >= this.#end; at -= 1) {
      const higher = (rest / 10) | 0;
      this.#target[at] = ZERO + rest - higher * 10;
      rest = higher;
    }
    this.#end += count;
  }

  #grow(bytes: number): void {
    const neededBytes = this.#end + bytes;
    if (neededBytes <= this.#target.length) return;
    const larger = Buffer.allocUnsafe(Math.max(neededBytes, this.#target.length * 2));
    larger.set(this.#target.subarray(0, this.#end));
    this.#target = larger;
  }
}

function digitCount(value: number): number {
  let count = 1;
  for (let bound = 10; value >= bound; bound *= 10) count += 1;
  return count;
}

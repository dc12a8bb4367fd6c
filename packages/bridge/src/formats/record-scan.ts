/**
 * Cuts the records of a produce request out of its body in one pass, without making objects of keys and values. It reads bodies
 * of the usual shape only: the reader that follows the schema takes invalid bodies, and values that take long.
 */
import type { RecordHeader, RecordToProduce } from '../records.ts';
import type { Codec } from './codec.ts';
import { isDigit, JSON_BYTES, wordEnd } from './json-grammar.ts';
import { JsonScanner, PLAIN } from './json-scanner.ts';
import { base64Bytes, stringBytes } from './json-string.ts';
import { isStoredAsIs } from './stored-json.ts';

const { CLOSING_BRACE, CLOSING_BRACKET, COLON, COMMA, LETTER_N, NULL, OPENING_BRACE, OPENING_BRACKET, QUOTE, ZERO } =
  JSON_BYTES;

const RECORDS = Buffer.from('records"');
const KEY = Buffer.from('key"');
const VALUE = Buffer.from('value"');
const HEADERS = Buffer.from('headers"');
const PARTITION = Buffer.from('partition"');
const TIMESTAMP = Buffer.from('timestamp"');
/** The most digits of numbers that always fit an int32, and of numbers that a double holds exactly. */
const INT32_DIGITS = 9;
const EXACT_DIGITS = 15;
/** Bytes of the body that are read in one slice, and the longest record that is read here. */
const SLICE_BYTES = 131_072;
/** Containers around a key or value: the body, its records and the record. */
const FIELD_DEPTH = 3;

export interface ScanOptions {
  /** Of keys and values. */
  codec: Codec;
  /** Whether records may say their partition and timestamp. */
  isPlacing: boolean;
  /** More are counted, and not returned. */
  maxRecords: number;
  /** Longer records cannot be stored. */
  maxRecordBytes: number;
  /** Of all records together. */
  maxHeaders: number;
}

export interface FoundRecords {
  /** At most `maxRecords`. They keep the body alive. */
  records: RecordToProduce[];
  /** Including those beyond `maxRecords`. */
  count: number;
}

/** The records of a body in valid UTF-8, in slices; `undefined` for a body that must be read by its schema. */
export function scanRecords(body: Buffer, options: ScanOptions): Generator<void, FoundRecords | undefined> {
  return new RecordScan(body, options).records();
}

/** Just after the quote that closes a string whose text begins at `start`, if it is stored as it is. */
function plainStringEnd(body: Buffer, start: number): number | undefined {
  let end = start;
  while (PLAIN[body[end] as number] === 1) end += 1;
  return body[end] === QUOTE ? end + 1 : undefined;
}

class RecordScan {
  readonly #body: Buffer;
  readonly #json: JsonScanner;
  readonly #options: ScanOptions;
  readonly #codec: Codec;
  readonly #keeps: Codec['keeps'];
  /** The next byte to read. */
  #at = 0;
  /** The record must end before this place. */
  #limit = 0;
  #headerCount = 0;

  constructor(body: Buffer, options: ScanOptions) {
    this.#body = body;
    this.#json = new JsonScanner(body, { maxValueBytes: options.maxRecordBytes });
    this.#options = options;
    this.#codec = options.codec;
    this.#keeps = options.codec.keeps;
  }

  *records(): Generator<void, FoundRecords | undefined> {
    const { maxRecords } = this.#options;
    const records: RecordToProduce[] = [];
    let count = 0;
    if (!this.#takes(OPENING_BRACE) || !this.#takes(QUOTE) || !this.#takesWord(RECORDS)) return undefined;
    if (!this.#takes(COLON) || !this.#takes(OPENING_BRACKET)) return undefined;
    if (!this.#takes(CLOSING_BRACKET)) {
      let pauseAt = SLICE_BYTES;
      do {
        if (this.#at > pauseAt) {
          yield;
          pauseAt = this.#at + SLICE_BYTES;
        }
        const record = this.#record();
        if (record === undefined) return undefined;
        count += 1;
        if (count <= maxRecords) records.push(record);
      } while (this.#takes(COMMA));
      if (!this.#takes(CLOSING_BRACKET)) return undefined;
    }
    if (!this.#takes(CLOSING_BRACE) || this.#json.afterSpace(this.#at) !== this.#body.length) return undefined;
    return { records, count };
  }

  /** Each field at most once, and a value. */
  #record(): RecordToProduce | undefined {
    this.#limit = this.#at + SLICE_BYTES;
    if (!this.#takes(OPENING_BRACE)) return undefined;
    let key: Buffer | undefined;
    let value: Buffer | null | undefined;
    let headers: RecordHeader[] | undefined;
    let partition: number | undefined;
    let timestampMs: bigint | undefined;
    do {
      if (!this.#takes(QUOTE)) return undefined;
      if (value === undefined && this.#takesWord(VALUE)) {
        if (!this.#takes(COLON)) return undefined;
        value = this.#isNext(LETTER_N) ? this.#null() : this.#field();
        if (value === undefined) return undefined;
      } else if (key === undefined && this.#takesWord(KEY)) {
        key = this.#takes(COLON) ? this.#field() : undefined;
        if (key === undefined) return undefined;
      } else if (headers === undefined && this.#takesWord(HEADERS)) {
        headers = this.#takes(COLON) ? this.#headers() : undefined;
        if (headers === undefined) return undefined;
      } else if (!this.#options.isPlacing) {
        return undefined;
      } else if (partition === undefined && this.#takesWord(PARTITION)) {
        partition = this.#takes(COLON) ? this.#integer(INT32_DIGITS) : undefined;
        if (partition === undefined) return undefined;
      } else if (timestampMs === undefined && this.#takesWord(TIMESTAMP)) {
        const timestamp = this.#takes(COLON) ? this.#integer(EXACT_DIGITS) : undefined;
        if (timestamp === undefined) return undefined;
        timestampMs = BigInt(timestamp);
      } else return undefined;
    } while (this.#takes(COMMA));
    if (value === undefined || !this.#takes(CLOSING_BRACE)) return undefined;
    return { key: key ?? null, value, headers, partition, timestampMs };
  }

  /** A key or value in the request's format. */
  #field(): Buffer | undefined {
    const json = this.#json;
    const start = json.afterSpace(this.#at);
    const first = this.#body[start];
    if (first === QUOTE && this.#keeps !== undefined) {
      const end = plainStringEnd(this.#body, start + 1);
      if (end !== undefined) {
        this.#at = end;
        return this.#keeps === 'strings' ? this.#body.subarray(start + 1, end - 1) : this.#body.subarray(start, end);
      }
    }
    if (first !== QUOTE && first !== OPENING_BRACE && first !== OPENING_BRACKET) return undefined;
    if (!this.#isValue(start)) return undefined;
    if (this.#keeps === 'values' && isStoredAsIs(json)) return this.#body.subarray(start, this.#at);
    return this.#codec.encode(json, this.#options.maxRecordBytes);
  }

  /** Whether a value begins at `start`; it is then in the scanner. */
  #isValue(start: number): boolean {
    const end = this.#json.valueEnd(start, FIELD_DEPTH, this.#limit);
    if (end < 0) return false;
    this.#at = end;
    return true;
  }

  #headers(): RecordHeader[] | undefined {
    const headers: RecordHeader[] = [];
    if (!this.#takes(OPENING_BRACKET)) return undefined;
    if (this.#takes(CLOSING_BRACKET)) return headers;
    do {
      const header = this.#header();
      if (header === undefined || this.#at > this.#limit) return undefined;
      headers.push(header);
      this.#headerCount += 1;
      if (this.#headerCount > this.#options.maxHeaders) return undefined;
    } while (this.#takes(COMMA));
    return this.#takes(CLOSING_BRACKET) ? headers : undefined;
  }

  #header(): RecordHeader | undefined {
    if (!this.#takes(OPENING_BRACE)) return undefined;
    let key: Buffer | undefined;
    let value: Buffer | null | undefined;
    const { maxRecordBytes } = this.#options;
    do {
      if (!this.#takes(QUOTE)) return undefined;
      if (key === undefined && this.#takesWord(KEY)) {
        key = this.#takes(COLON) && this.#isNextString() ? stringBytes(this.#json, maxRecordBytes) : undefined;
        if (key === undefined) return undefined;
      } else if (value === undefined && this.#takesWord(VALUE)) {
        if (!this.#takes(COLON)) return undefined;
        if (this.#isNext(LETTER_N)) value = this.#null();
        else value = this.#isNextString() ? base64Bytes(this.#json, maxRecordBytes) : undefined;
        if (value === undefined) return undefined;
      } else return undefined;
    } while (this.#takes(COMMA));
    return key === undefined || value === undefined || !this.#takes(CLOSING_BRACE) ? undefined : [key, value];
  }

  #isNextString(): boolean {
    return this.#isNext(QUOTE) && this.#isValue(this.#at);
  }

  #null(): null | undefined {
    const end = wordEnd(this.#body, this.#json.afterSpace(this.#at), NULL);
    if (end < 0) return undefined;
    this.#at = end;
    // A null is a tombstone in every format.
    return null;
  }

  /** Without sign, leading zeros, fraction and exponent. */
  #integer(maxDigits: number): number | undefined {
    const body = this.#body;
    const start = this.#json.afterSpace(this.#at);
    let end = start;
    let value = 0;
    for (let byte = body[end]; isDigit(byte); byte = body[end]) {
      value = value * 10 + (byte as number) - ZERO;
      end += 1;
      if (end - start > maxDigits) return undefined;
    }
    const digitCount = end - start;
    if (digitCount === 0 || (digitCount > 1 && body[start] === ZERO)) return undefined;
    this.#at = end;
    // A byte that continues the number is neither a comma nor a brace, and ends the scan.
    return value;
  }

  #isNext(byte: number): boolean {
    this.#at = this.#json.afterSpace(this.#at);
    return this.#body[this.#at] === byte;
  }

  /** Moves past a byte, after any space, if it comes next. */
  #takes(byte: number): boolean {
    const at = this.#json.afterSpace(this.#at);
    if (this.#body[at] !== byte) return false;
    this.#at = at + 1;
    return true;
  }

  /** Moves past these bytes, if they come next. */
  #takesWord(word: Buffer): boolean {
    const body = this.#body;
    const start = this.#at;
    for (let index = 0; index < word.length; index += 1) if (body[start + index] !== word[index]) return false;
    this.#at = start + word.length;
    return true;
  }
}

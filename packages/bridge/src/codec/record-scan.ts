/**
 * Cuts the records of a produce request out of its body in one pass, without making objects of what they hold. Bodies of
 * the usual shape only: everything else, also what is wrong, is for the parser and the schema, and their messages.
 */
import { isUtf8 } from 'node:buffer';
import type { EmbeddedFormat } from '@causeway/protocol/content-types.ts';
import type { RecordToProduce } from '../records.ts';
import { isBase64 } from './binary.ts';
import { CanonicalJson, UNUSUAL, withoutSpace } from './canonical-json.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const LETTER_N = 0x6e;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const SPACE = 0x20;

const RECORDS = Buffer.from('records"');
const KEY = Buffer.from('key"');
const VALUE = Buffer.from('value"');
const PARTITION = Buffer.from('partition"');
const TIMESTAMP = Buffer.from('timestamp"');
/** Digits of numbers that are int32 for sure, and of those that a double holds exactly. */
const INT32_DIGITS = 9;
const EXACT_DIGITS = 15;

export interface ScanOptions {
  format: EmbeddedFormat;
  /** Whether records may say their partition and timestamp. */
  isPlacing: boolean;
}

/** The records of a body; `undefined` when it must be parsed. They keep the body alive. */
export function scanRecords(body: Buffer, options: ScanOptions): RecordToProduce[] | undefined {
  return isUtf8(body) ? new RecordScan(body, options).records() : undefined;
}

class RecordScan {
  readonly #body: Buffer;
  readonly #json: CanonicalJson;
  readonly #options: ScanOptions;
  /** What is read next; `UNUSUAL` ends the scan. */
  #at = 0;

  constructor(body: Buffer, options: ScanOptions) {
    this.#body = body;
    this.#json = new CanonicalJson(body);
    this.#options = options;
  }

  records(): RecordToProduce[] | undefined {
    const body = this.#body;
    const records: RecordToProduce[] = [];
    if (!this.#takes(OPENING_BRACE) || !this.#takes(QUOTE) || !this.#takesWord(RECORDS)) return undefined;
    if (!this.#takes(COLON) || !this.#takes(OPENING_BRACKET)) return undefined;
    if (!this.#takes(CLOSING_BRACKET)) {
      do {
        const record = this.#record();
        if (record === undefined) return undefined;
        records.push(record);
      } while (this.#takes(COMMA));
      if (!this.#takes(CLOSING_BRACKET)) return undefined;
    }
    if (!this.#takes(CLOSING_BRACE) || this.#json.afterSpace(this.#at) !== body.length) return undefined;
    return records;
  }

  /** Each field at most once, and a value. */
  #record(): RecordToProduce | undefined {
    if (!this.#takes(OPENING_BRACE)) return undefined;
    let key: Buffer | undefined;
    let value: Buffer | null | undefined;
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
    return { key: key ?? null, value, headers: undefined, partition, timestampMs };
  }

  /** A key or value in the request's format. */
  #field(): Buffer | undefined {
    const start = this.#json.afterSpace(this.#at);
    return this.#options.format === 'json' ? this.#jsonField(start) : this.#textField(start);
  }

  #jsonField(start: number): Buffer | undefined {
    const json = this.#json;
    const first = this.#body[start];
    if (first !== QUOTE && first !== OPENING_BRACE && first !== OPENING_BRACKET) return undefined;
    json.hasSpace = false;
    const end = json.valueEnd(start);
    if (end === UNUSUAL) return undefined;
    this.#at = end;
    return json.hasSpace ? withoutSpace(this.#body, start, end) : this.#body.subarray(start, end);
  }

  /** A string without escapes. */
  #textField(start: number): Buffer | undefined {
    const body = this.#body;
    if (body[start] !== QUOTE) return undefined;
    let end = start + 1;
    while (body[end] !== QUOTE) {
      const byte = body[end];
      if (byte === undefined || byte === BACKSLASH || byte < SPACE) return undefined;
      end += 1;
    }
    this.#at = end + 1;
    if (this.#options.format === 'text') return body.subarray(start + 1, end);
    const text = body.toString('latin1', start + 1, end);
    return isBase64(text) ? Buffer.from(text, 'base64') : undefined;
  }

  #null(): null | undefined {
    const end = this.#json.wordEnd(this.#json.afterSpace(this.#at), 'null');
    if (end === UNUSUAL) return undefined;
    this.#at = end;
    // Whether a format can hold it is the same for all: a tombstone.
    return null;
  }

  /** Without sign, leading zeros, fraction and exponent. */
  #integer(maxDigits: number): number | undefined {
    const body = this.#body;
    const start = this.#json.afterSpace(this.#at);
    let end = start;
    let value = 0;
    for (let byte = body[end]; byte !== undefined && byte >= ZERO && byte <= NINE; byte = body[end]) {
      value = value * 10 + byte - ZERO;
      end += 1;
    }
    const digitCount = end - start;
    if (digitCount === 0 || digitCount > maxDigits || (digitCount > 1 && body[start] === ZERO)) return undefined;
    this.#at = end;
    // Anything that goes on with the number is neither a comma nor a brace, and ends the scan.
    return value;
  }

  #isNext(byte: number): boolean {
    return this.#body[this.#json.afterSpace(this.#at)] === byte;
  }

  /** Past a byte, after any space, if it comes next. */
  #takes(byte: number): boolean {
    const at = this.#json.afterSpace(this.#at);
    if (this.#body[at] !== byte) return false;
    this.#at = at + 1;
    return true;
  }

  /** Past a word, if it comes next. */
  #takesWord(word: Buffer): boolean {
    const body = this.#body;
    const start = this.#at;
    for (let index = 0; index < word.length; index += 1) if (body[start + index] !== word[index]) return false;
    this.#at = start + word.length;
    return true;
  }
}

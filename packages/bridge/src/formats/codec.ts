/** What a format of keys and values can do. */
import type { JsonText } from './json-scanner.ts';

/** Which field of which record, for errors. */
export interface Field {
  name: 'key' | 'value';
  /** The record's place in the request. */
  index: number;
  /** What is longer cannot be stored: it may stay as it is, to be refused. */
  maxBytes: number;
}

export interface Codec {
  /**
   * The bytes to store for a key or value of a request: a string, object or array, in valid UTF-8.
   * Errors: `invalidValue` for what the format cannot hold.
   */
  encode(text: JsonText, field: Field): Buffer;
  /** The same in slices, where it takes long. */
  encodeInSlices?(text: JsonText, field: Field): Generator<void, Buffer>;
  /** Whether a part of stored bytes is JSON text that an answer can hold as it is, if it is UTF-8. */
  isAnswer?(bytes: Buffer, start: number, end: number): boolean;
  /** JSON text for stored bytes. Errors: `recordUndecodable`. */
  decode(bytes: Buffer): string;
  /** The same in slices, where it takes long. */
  decodeInSlices?(bytes: Buffer): Generator<void, string>;
}

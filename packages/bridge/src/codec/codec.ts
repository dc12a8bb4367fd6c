/** What a format of keys and values can do. */

/** Which field of which record, for errors. */
export interface Field {
  name: 'key' | 'value';
  /** The record's place in the request. */
  index: number;
}

export interface Codec {
  /** The bytes to store for a key or value of a request. Errors: `invalidValue` for what the format cannot hold. */
  encode(value: unknown, field: Field): Buffer;
  /** Whether a part of stored bytes is JSON text that an answer can hold as it is, if it is UTF-8. */
  isAnswer?(bytes: Buffer, start: number, end: number): boolean;
  /** JSON text for stored bytes. Errors: `recordUndecodable`. */
  decode(bytes: Buffer): string;
}

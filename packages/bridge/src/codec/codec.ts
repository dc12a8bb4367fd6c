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
  /** Whether stored bytes are JSON text that an answer can hold as they are. */
  isAnswer?(bytes: Buffer): boolean;
  /** JSON text for stored bytes. Errors: `recordUndecodable`. */
  decode(bytes: Buffer): string;
}

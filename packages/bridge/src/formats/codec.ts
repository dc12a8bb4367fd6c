/** Codecs of keys and values, and the formats that have them. */
import type { BridgeError } from '../errors.ts';
import type { JsonText } from './json-scanner.ts';

/** Which field of which record, for errors. */
export interface Field {
  name: 'key' | 'value';
  /** The record's place in the request. */
  index: number;
}

/** Turns stored bytes into JSON. It runs in the hot loop of polls, and never waits. */
export interface Decoder {
  /** Whether a part of stored bytes is JSON text that a response can hold as it is, if it is UTF-8. */
  isAnswer?(bytes: Buffer, start: number, end: number): boolean;
  /** JSON text for stored bytes. Errors: `recordUndecodable`. */
  decode(bytes: Buffer): string;
  /** The same in slices, for long values. */
  decodeInSlices?(bytes: Buffer): Generator<void, string>;
}

/** Also turns keys and values of requests into bytes, in the hot loop of produce requests. */
export interface Codec extends Decoder {
  /**
   * The bytes to store for a key or value of a request: a string, object or array, in valid UTF-8. A value that is longer
   * than `maxBytes` cannot be stored: it may be returned as it is, for its size to be refused. `undefined` for a value that the
   * format cannot hold; {@link refusal} says why.
   */
  encode(text: JsonText, maxBytes: number): Buffer | undefined;
  /** The same in slices, for long values. */
  encodeInSlices?(text: JsonText, maxBytes: number): Generator<void, Buffer | undefined>;
  /** The error for a value that the format cannot hold. */
  refusal(text: JsonText, field: Field): BridgeError;
  /**
   * What the scanner of bodies may store without a call of {@link encode}: `values` as they stand, where {@link isStoredAsIs} is true, or
   * the text of `strings` without escapes. Default: nothing.
   */
  keeps?: 'values' | 'strings';
}

/**
 * A format whose codec depends on schemas. {@link prepare} runs once before the records of a request, or before the records of a poll for
 * each topic, and may look schemas up; the loop over the records then only uses what it returned.
 *
 *     const avro: SchemaFormat = {
 *       prepare: async (topic, schemaIds, { signal }) => avroCodec(await registry.schemas(topic, schemaIds, signal)),
 *       schemaIdOf: (bytes, start, end) => (end - start > 5 && bytes[start] === 0 ? bytes.readUInt32BE(start + 1) : undefined),
 *     };
 */
export interface SchemaFormat {
  /**
   * The codec for the records of one topic. `schemaIds`: those that stored records name; none for records of a request, and for stored
   * records that name none. When several ids fail together, each is prepared alone, so that it fails only the records that name it.
   * `signal`: aborts when the time is over, when the client is gone, and when the consumer ends: the result is not used then.
   * Errors: those of the response, as a `BridgeError`. `recordUndecodable` is for a schema that does not exist: a poll may skip its records.
   * Every other failure passes, and fails the request: an error that is not a `BridgeError` becomes `schemasUnavailable`.
   */
  prepare(topic: string, schemaIds: ReadonlySet<number>, context: { signal: AbortSignal }): Codec | Promise<Codec>;
  /** The id of the schema of a stored key or value; `undefined` for bytes that name none. */
  schemaIdOf(bytes: Buffer, start: number, end: number): number | undefined;
}

/** An entry of the list of formats. */
export type Format = Codec | SchemaFormat;

export function hasSchemas(format: Format): format is SchemaFormat {
  return 'prepare' in format;
}

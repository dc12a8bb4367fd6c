/** How keys and values of records are embedded in JSON, by format. */
import type { EmbeddedFormat } from '@causeway/protocol/content-types.ts';
import { assertNever } from '../errors.ts';
import { binaryCodec } from './binary.ts';
import { jsonCodec } from './json.ts';
import { textCodec } from './text.ts';

/** Which field of which record, for errors. */
export interface Field {
  name: 'key' | 'value';
  /** The record's place in the request. */
  index: number;
}

export interface Codec {
  /** The bytes to store for a key or value of a request. Errors: `invalidValue` for what the format cannot hold. */
  encode(value: unknown, field: Field): Buffer;
  /** JSON text for stored bytes. Errors: `recordUndecodable`. */
  decode(bytes: Buffer): string;
}

export function codecOf(format: EmbeddedFormat): Codec {
  switch (format) {
    case 'json':
      return jsonCodec;
    case 'binary':
      return binaryCodec;
    case 'text':
      return textCodec;
    default:
      return assertNever(format);
  }
}

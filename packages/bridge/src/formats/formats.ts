/** The codec of each format. */
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { EmbeddedFormat } from '@causeway/protocol/content-types.ts';
import { binaryCodec } from './binary.ts';
import type { Codec } from './codec.ts';
import { jsonCodec } from './json.ts';
import { textCodec } from './text.ts';

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

/** The bridge's list of formats: an entry of `RECORDS` in `protocol/content-types.ts` without one here does not compile. */
import type { FormatName } from '@causeway/protocol/content-types.ts';
import { binaryCodec } from './binary.ts';
import type { Format } from './codec.ts';
import { jsonCodec } from './json.ts';
import { textCodec } from './text.ts';

export const FORMATS_BY_NAME = {
  json: jsonCodec,
  binary: binaryCodec,
  text: textCodec,
} as const satisfies Readonly<Record<FormatName, Format>>;

export function formatNamed(name: FormatName): Format {
  return FORMATS_BY_NAME[name];
}

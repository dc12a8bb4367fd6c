/** Keys and values as UTF-8 text. */
import { isUtf8 } from 'node:buffer';
import { BridgeError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { isString, stringBytes } from './json-string.ts';

export const textCodec: Codec = {
  encode: stringBytes,
  keeps: 'strings',
  refusal(text, { name, index }) {
    return new BridgeError('invalidValue', {
      message: isString(text)
        ? `The ${name} has half of a surrogate pair (\\ud800 to \\udfff), which is no text: the embedded format 'binary' takes any bytes (record ${index})`
        : `Because the embedded format is 'text', the ${name} must be a string`,
    });
  },
  decode(bytes) {
    if (isUtf8(bytes)) return JSON.stringify(bytes.toString());
    throw new BridgeError('recordUndecodable', {
      message: "Failed to decode: the bytes are not UTF-8, which the format 'text' needs; 'binary' shows any bytes",
    });
  },
};

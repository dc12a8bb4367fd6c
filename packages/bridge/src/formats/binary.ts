/** Keys and values as base64. */
import { BridgeError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { base64Bytes } from './json-string.ts';

export const binaryCodec: Codec = {
  encode: base64Bytes,
  refusal(_text, { name, index }) {
    return new BridgeError('invalidValue', {
      message: `Because the embedded format is 'binary', the ${name} must be a base64 string (record ${index})`,
    });
  },
  decode(bytes) {
    return `"${bytes.toString('base64')}"`;
  },
};

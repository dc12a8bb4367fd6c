/** Keys and values as UTF-8 text. */
import { BridgeError } from '../errors.ts';
import type { Codec } from './codec.ts';

export const textCodec: Codec = {
  encode(value, { name }) {
    if (typeof value === 'string') return Buffer.from(value);
    throw new BridgeError('invalidValue', {
      message: `Because the embedded format is 'text', the ${name} must be a string`,
    });
  },
  decode(bytes) {
    // Bytes that are not UTF-8 become U+FFFD.
    return JSON.stringify(bytes.toString());
  },
};

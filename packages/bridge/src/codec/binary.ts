/** Keys and values as base64. */
import { BridgeError } from '../errors.ts';
import type { Codec } from './codec.ts';

/** The standard alphabet, padded (RFC 4648 §4). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Whether a text is standard, padded base64; also when it is empty. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && BASE64.test(text);
}

export const binaryCodec: Codec = {
  encode(value, { name, index }) {
    if (typeof value === 'string' && isBase64(value)) return Buffer.from(value, 'base64');
    throw new BridgeError('invalidValue', {
      message: `Because the embedded format is 'binary', the ${name} must be a base64 string (record ${index})`,
    });
  },
  decode(bytes) {
    return `"${bytes.toString('base64')}"`;
  },
};

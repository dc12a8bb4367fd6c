/** Base64 as the API accepts it: the standard alphabet, with or without padding (RFC 4648 §4, §3.2). */

import { byteFlags } from './json-grammar.ts';

const EQUALS = 0x3d;
const IS_DIGIT = byteFlags(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'));

/**
 * Decodes base64; `undefined` for other text. Ignores spare bits of the last digit, as the peer API does (RFC 4648 §3.5 leaves
 * the choice).
 */
export function decodeBase64(bytes: Buffer, start = 0, end = bytes.length): Buffer | undefined {
  let last = end;
  while (last > start && end - last < 2 && bytes[last - 1] === EQUALS) last -= 1;
  const beyond = (last - start) % 4;
  if (beyond === 1 || (last !== end && (end - start) % 4 !== 0)) return undefined;
  for (let at = start; at < last; at += 1) if (IS_DIGIT[bytes[at] as number] !== 1) return undefined;
  return Buffer.from(bytes.toString('latin1', start, last), 'base64');
}

/** Whether {@link decodeBase64} accepts a text; it accepts an empty one. */
export function isBase64(text: string): boolean {
  const { length } = text;
  let last = length;
  while (last > 0 && length - last < 2 && text.charCodeAt(last - 1) === EQUALS) last -= 1;
  if (last % 4 === 1 || (last !== length && length % 4 !== 0)) return false;
  for (let at = 0; at < last; at += 1) if (IS_DIGIT[text.charCodeAt(at)] !== 1) return false;
  return true;
}

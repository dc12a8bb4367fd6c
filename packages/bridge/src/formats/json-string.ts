/** The content of JSON strings, as bytes. */
import { decodeBase64 } from './base64.ts';
import { JSON_BYTES } from './json-grammar.ts';
import type { JsonText } from './json-scanner.ts';

const { ESCAPE_BYTES, QUOTE } = JSON_BYTES;

/**
 * The text in UTF-8; `undefined` for a value that is not a string, and for one that UTF-8 cannot hold: half a surrogate pair.
 * May return a value that is longer than `maxBytes` unchanged, so that its size is refused.
 */
export function stringBytes({ bytes, start, end, hasBackslash }: JsonText, maxBytes: number): Buffer | undefined {
  if (bytes[start] !== QUOTE) return undefined;
  if (!hasBackslash || end - start - 2 > maxBytes * ESCAPE_BYTES) return bytes.subarray(start + 1, end - 1);
  const text = JSON.parse(bytes.toString('utf8', start, end)) as string;
  return text.isWellFormed() ? Buffer.from(text) : undefined;
}

/** The bytes that a base64 string encodes; `undefined` for other values. Long ones as in {@link stringBytes}. */
export function base64Bytes(text: JsonText, maxBytes: number): Buffer | undefined {
  const base64 = stringBytes(text, 2 * maxBytes);
  return base64 === undefined || base64.length > 2 * maxBytes ? base64 : decodeBase64(base64);
}

export function isString({ bytes, start }: JsonText): boolean {
  return bytes[start] === QUOTE;
}

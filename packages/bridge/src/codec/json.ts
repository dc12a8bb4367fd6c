/** Keys and values as JSON. */
import { BridgeError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { hasJsonShape } from './json-bytes.ts';

export const jsonCodec: Codec = {
  encode(value) {
    return Buffer.from(escapeAstral(JSON.stringify(value)));
  },
  isAnswer: hasJsonShape,
  decode(bytes) {
    if (bytes.length === 0) return 'null';
    const text = bytes.toString();
    try {
      JSON.parse(text);
      // As it is stored: numbers keep their digits, objects their order.
      return text;
    } catch (cause) {
      const first = firstValue(text);
      if (first !== undefined) return first;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BridgeError('recordUndecodable', { message: `Failed to decode:${reason}`, cause });
    }
  },
};

/** Text outside the BMP is stored as `\ud83d\ude00`: a key's bytes choose its partition, and the API writes them so. */
function escapeAstral(text: string): string {
  if (!/[\ud800-\udbff]/.test(text)) return text;
  return text.replace(/[\ud800-\udfff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The JSON value that a text begins with: what follows it is ignored. */
function firstValue(text: string): string | undefined {
  const start = text.search(/[^ \t\r\n]/);
  if (start === -1) return undefined;
  const end = '{["'.includes(text.charAt(start)) ? closingEnd(text, start) : scalarEnd(text, start);
  const candidate = text.slice(start, end);
  try {
    JSON.parse(candidate);
    return candidate;
  } catch {
    return undefined;
  }
}

function scalarEnd(text: string, start: number): number {
  const length = text.slice(start).search(/[\s,\]}]/);
  return length === -1 ? text.length : start + length;
}

/** Just after what closes the string, object or array that begins at `start`. */
function closingEnd(text: string, start: number): number {
  let depth = 0;
  let isInString = false;
  for (let index = start; index < text.length; index += 1) {
    const char = text.charAt(index);
    if (isInString) {
      if (char === '\\') index += 1;
      else if (char === '"') isInString = false;
    } else if (char === '"') isInString = true;
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth === 0 && !isInString) return index + 1;
  }
  return text.length;
}

/** Decodes request bodies: JSON as the API reads it, checked against the operation's schema. */
import { isUtf8 } from 'node:buffer';
import { BridgeError } from '../errors.ts';
import { violations } from './violations.ts';

/** Limits of the original's JSON parser. */
const MAX_NESTING = 1000;
/** A shorter text cannot be nested too deeply: it also needs the closing brackets. */
const MIN_NESTED_LENGTH = 2 * MAX_NESTING;
/** More digits in a row than the original's parser takes in a number. */
const LONG_NUMBER = /\d{1001}/;
/** What may begin an integer that a double does not hold exactly, or be a number beyond its range. */
const INEXACT_NUMBER = /[:,[\s]-?\d{16}|\d[eE]\+?\d{3}/;

/** Whether a request has a body at all. */
export function isEmptyBody(body: unknown): boolean {
  return !(body instanceof Buffer) || body.length === 0;
}

/** Decodes a body and checks it. Errors: `bodyMissing`, `bodyUndecodable`, `schemaViolation`. */
export function decodeBody(body: unknown, schema: object): unknown {
  if (!(body instanceof Buffer) || body.length === 0) throw new BridgeError('bodyMissing');
  const value = parseJson(body);
  const validationErrors = violations(schema, value);
  if (validationErrors.length > 0) throw new BridgeError('schemaViolation', { validationErrors });
  return value;
}

function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new BridgeError('bodyUndecodable');
  let text = body.toString();
  if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  if (text.length > MIN_NESTED_LENGTH && nestingOf(text) > MAX_NESTING) throw new BridgeError('bodyUndecodable');
  if (hasLongNumber(text)) throw new BridgeError('bodyUndecodable');
  try {
    return parseExactly(text);
  } catch (cause) {
    // The API takes comments; nobody pays for them who has none.
    const bare = withoutComments(text);
    if (bare === text) throw new BridgeError('bodyUndecodable', { cause });
    try {
      return parseExactly(bare);
    } catch (inner) {
      throw new BridgeError('bodyUndecodable', { cause: inner });
    }
  }
}

/** Not yet in TypeScript's library: https://tc39.es/proposal-json-parse-with-source/ */
const exactJson = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): object;
};

/** Parses so that numbers which a double cannot hold are written again as they came. */
function parseExactly(text: string): unknown {
  if (!INEXACT_NUMBER.test(text)) return JSON.parse(text);
  return exactJson.parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined || Number.isSafeInteger(value)) return value;
    return Number.isInteger(value) || !Number.isFinite(value) ? exactJson.rawJSON(source) : value;
  });
}

function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (isInString) {
      if (code === 0x5c) index += 1;
      else if (code === 0x22) isInString = false;
    } else if (code === 0x22) isInString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return deepest;
}

/** Digits in strings may be as many as they like. */
function hasLongNumber(text: string): boolean {
  return LONG_NUMBER.test(text) && LONG_NUMBER.test(text.replace(STRING_OR_COMMENT, ' '));
}

/** In a form that needs no step back for each character of a long string. */
const STRING_OR_COMMENT = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|\/\*[\s\S]*?\*\//g;

function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (match) => (match.startsWith('"') ? match : ' '));
}

/** Whether bytes are JSON, without making values of them: such bytes can be embedded in an answer as they are. */
import { isUtf8 } from 'node:buffer';

/** Nested deeper than this is left to the parser, which has no such limit. */
const MAX_DEPTH = 64;
const NOT_JSON = -1;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const LETTER_U = 0x75;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
/** Bytes of a string that mean themselves. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

/**
 * Whether bytes are one JSON text (RFC 8259) in valid UTF-8, and nothing else. False also for JSON that is nested very
 * deeply: true is a promise, false is not.
 */
export function isJson(bytes: Buffer): boolean {
  return hasJsonShape(bytes, 0, bytes.length) && isUtf8(bytes);
}

/** The same for a part of bytes, but for UTF-8: strings may hold any bytes beyond ASCII. */
export function hasJsonShape(bytes: Buffer, start: number, end: number): boolean {
  // What follows the part may be read, and taken for its end: then it is none.
  const at = valueEnd(bytes, afterSpace(bytes, start), 0);
  return at !== NOT_JSON && at <= end && afterSpace(bytes, at) >= end;
}

function afterSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte !== SPACE && byte !== LINE_FEED && byte !== TAB && byte !== CARRIAGE_RETURN) break;
    at += 1;
  }
  return at;
}

/** Just after the value that begins at `at`. */
function valueEnd(bytes: Buffer, at: number, depth: number): number {
  const byte = at < bytes.length ? bytes[at] : undefined;
  switch (byte) {
    case QUOTE:
      return stringEnd(bytes, at + 1);
    case OPENING_BRACE:
      return depth === MAX_DEPTH ? NOT_JSON : objectEnd(bytes, at + 1, depth + 1);
    case OPENING_BRACKET:
      return depth === MAX_DEPTH ? NOT_JSON : arrayEnd(bytes, at + 1, depth + 1);
    case TRUE[0]:
      return wordEnd(bytes, at, TRUE);
    case FALSE[0]:
      return wordEnd(bytes, at, FALSE);
    case NULL[0]:
      return wordEnd(bytes, at, NULL);
    default:
      return numberEnd(bytes, at);
  }
}

function objectEnd(bytes: Buffer, start: number, depth: number): number {
  let at = afterSpace(bytes, start);
  if (bytes[at] === CLOSING_BRACE) return at + 1;
  while (bytes[at] === QUOTE) {
    at = stringEnd(bytes, at + 1);
    if (at === NOT_JSON) return NOT_JSON;
    at = afterSpace(bytes, at);
    if (bytes[at] !== COLON) return NOT_JSON;
    at = valueEnd(bytes, afterSpace(bytes, at + 1), depth);
    if (at === NOT_JSON) return NOT_JSON;
    at = afterSpace(bytes, at);
    if (bytes[at] === CLOSING_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return NOT_JSON;
    at = afterSpace(bytes, at + 1);
  }
  return NOT_JSON;
}

function arrayEnd(bytes: Buffer, start: number, depth: number): number {
  let at = afterSpace(bytes, start);
  if (bytes[at] === CLOSING_BRACKET) return at + 1;
  while (true) {
    at = valueEnd(bytes, at, depth);
    if (at === NOT_JSON) return NOT_JSON;
    at = afterSpace(bytes, at);
    if (bytes[at] === CLOSING_BRACKET) return at + 1;
    if (bytes[at] !== COMMA) return NOT_JSON;
    at = afterSpace(bytes, at + 1);
  }
}

/** Just after the quote that closes the string whose text begins at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (true) {
    while (PLAIN[bytes[at] as number] === 1) at += 1;
    if (bytes[at] === QUOTE) return at + 1;
    if (bytes[at] !== BACKSLASH) return NOT_JSON;
    at += 1;
    if (bytes[at] === LETTER_U) {
      if (!hasHexDigits(bytes, at + 1)) return NOT_JSON;
      at += 5;
    } else if (isEscape(bytes[at])) at += 1;
    else return NOT_JSON;
  }
}

/** Of `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`. */
function isEscape(byte: number | undefined): boolean {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
    case SLASH:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true;
    default:
      return false;
  }
}

function hasHexDigits(bytes: Buffer, start: number): boolean {
  for (let at = start; at < start + 4; at += 1) {
    const byte = (bytes[at] ?? 0) | 0x20;
    const isHex = isDigit(bytes[at]) || (byte >= 0x61 && byte <= 0x66);
    if (!isHex) return false;
  }
  return true;
}

function wordEnd(bytes: Buffer, start: number, word: Buffer): number {
  for (let index = 1; index < word.length; index += 1) if (bytes[start + index] !== word[index]) return NOT_JSON;
  return start + word.length;
}

function numberEnd(bytes: Buffer, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (!isDigit(bytes[at])) return NOT_JSON;
  at = bytes[at] === ZERO ? at + 1 : digitsEnd(bytes, at);
  if (bytes[at] === DOT) {
    if (!isDigit(bytes[at + 1])) return NOT_JSON;
    at = digitsEnd(bytes, at + 1);
  }
  // `e` or `E`.
  if (((bytes[at] ?? 0) | 0x20) === 0x65) {
    at += 1;
    if (bytes[at] === PLUS || bytes[at] === MINUS) at += 1;
    if (!isDigit(bytes[at])) return NOT_JSON;
    at = digitsEnd(bytes, at);
  }
  return at;
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

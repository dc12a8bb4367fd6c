/** Whether bytes are JSON, without making values of them: a response can embed such bytes as they are. */
import { isUtf8 } from 'node:buffer';
import { escapeBytes, JSON_BYTES, scalarEnd } from './json-grammar.ts';

const {
  MALFORMED,
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COLON,
  COMMA,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
  SPACES,
  UNESCAPED,
} = JSON_BYTES;

/** JSON that is nested deeper is left to the parser, which has no such limit. */
const MAX_DEPTH = 64;

/**
 * Whether bytes are one JSON text (RFC 8259) in valid UTF-8, and nothing else. May return false for JSON that is nested very
 * deeply.
 */
export function isJson(bytes: Buffer): boolean {
  return hasJsonShape(bytes, 0, bytes.length) && isUtf8(bytes);
}

/** The same for a part of bytes, without the check of UTF-8: strings may hold any bytes beyond ASCII. */
export function hasJsonShape(bytes: Buffer, start: number, end: number): boolean {
  // The scan may read beyond the part: a value that ends there is not one of the part.
  const at = valueEnd(bytes, afterSpace(bytes, start), 0);
  return at !== MALFORMED && at <= end && afterSpace(bytes, at) >= end;
}

function afterSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && SPACES[bytes[at] as number] === 1) at += 1;
  return at;
}

/** Just after the value that begins at `at`. */
function valueEnd(bytes: Buffer, at: number, depth: number): number {
  const byte = at < bytes.length ? bytes[at] : undefined;
  switch (byte) {
    case QUOTE:
      return stringEnd(bytes, at + 1);
    case OPENING_BRACE:
      return depth === MAX_DEPTH ? MALFORMED : objectEnd(bytes, at + 1, depth + 1);
    case OPENING_BRACKET:
      return depth === MAX_DEPTH ? MALFORMED : arrayEnd(bytes, at + 1, depth + 1);
    default:
      return scalarEnd(bytes, at, byte);
  }
}

function objectEnd(bytes: Buffer, start: number, depth: number): number {
  let at = afterSpace(bytes, start);
  if (bytes[at] === CLOSING_BRACE) return at + 1;
  while (bytes[at] === QUOTE) {
    at = stringEnd(bytes, at + 1);
    if (at === MALFORMED) return MALFORMED;
    at = afterSpace(bytes, at);
    if (bytes[at] !== COLON) return MALFORMED;
    at = valueEnd(bytes, afterSpace(bytes, at + 1), depth);
    if (at === MALFORMED) return MALFORMED;
    at = afterSpace(bytes, at);
    if (bytes[at] === CLOSING_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return MALFORMED;
    at = afterSpace(bytes, at + 1);
  }
  return MALFORMED;
}

function arrayEnd(bytes: Buffer, start: number, depth: number): number {
  let at = afterSpace(bytes, start);
  if (bytes[at] === CLOSING_BRACKET) return at + 1;
  while (true) {
    at = valueEnd(bytes, at, depth);
    if (at === MALFORMED) return MALFORMED;
    at = afterSpace(bytes, at);
    if (bytes[at] === CLOSING_BRACKET) return at + 1;
    if (bytes[at] !== COMMA) return MALFORMED;
    at = afterSpace(bytes, at + 1);
  }
}

/** Just after the quote that closes the string whose text begins at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (true) {
    while (UNESCAPED[bytes[at] as number] === 1) at += 1;
    if (bytes[at] === QUOTE) return at + 1;
    const bytesOfEscape = bytes[at] === BACKSLASH ? escapeBytes(bytes, at) : 0;
    if (bytesOfEscape === 0) return MALFORMED;
    at += bytesOfEscape;
  }
}

/** The bytes of JSON (RFC 8259), and where its numbers, words and escapes end: what every reader of JSON here shares. */

/** Bytes are not JSON. */
const MALFORMED = -1;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const ASTERISK = 0x2a;
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
const LETTER_E = 0x65;
const LETTER_N = 0x6e;
const LETTER_U = 0x75;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
/** Begins a character beyond the BMP in UTF-8. */
const FIRST_ASTRAL = 0xf0;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** The longest escape: `\u0000`. */
const ESCAPE_BYTES = 6;

/** 1 for each of the bytes, 0 for all others. */
export function byteFlags(bytes: Iterable<number>): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of bytes) table[byte] = 1;
  return table;
}

const SPACES = byteFlags([SPACE, LINE_FEED, CARRIAGE_RETURN, TAB]);
/** Bytes of a string that stand for themselves. */
const UNESCAPED = byteFlags(
  Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH,
  ),
);
/** What follows the backslash of an escape of two bytes. */
const SHORT_ESCAPES = byteFlags(Buffer.from('"\\/bfnrt'));
const HEX_DIGITS = byteFlags(Buffer.from('0123456789abcdefABCDEF'));

/**
 * Each reader takes what it needs into constants of its own: V8 folds the constants of a module, but reads those that it imports
 * or exports from memory each time, which makes a scan up to twice as slow.
 */
export const JSON_BYTES = {
  MALFORMED,
  LINE_FEED,
  CARRIAGE_RETURN,
  SPACE,
  QUOTE,
  ASTERISK,
  COMMA,
  MINUS,
  SLASH,
  ZERO,
  COLON,
  OPENING_BRACKET,
  BACKSLASH,
  CLOSING_BRACKET,
  LETTER_N,
  LETTER_U,
  OPENING_BRACE,
  CLOSING_BRACE,
  FIRST_ASTRAL,
  NULL,
  ESCAPE_BYTES,
  SPACES,
  UNESCAPED,
} as const;

/** The length of the escape that begins with the backslash at `at`; 0 for none. */
export function escapeBytes(bytes: Buffer, at: number): number {
  const next = bytes[at + 1];
  if (SHORT_ESCAPES[next as number] === 1) return 2;
  return next === LETTER_U &&
    isHex(bytes[at + 2]) &&
    isHex(bytes[at + 3]) &&
    isHex(bytes[at + 4]) &&
    isHex(bytes[at + 5])
    ? ESCAPE_BYTES
    : 0;
}

function isHex(byte: number | undefined): boolean {
  return HEX_DIGITS[byte as number] === 1;
}

/** The value of a hexadecimal digit. */
export function hexDigit(byte: number | undefined): number | undefined {
  if (byte === undefined) return undefined;
  if (isDigit(byte)) return byte - ZERO;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
}

/** Just after `true`, `false`, `null` or a number that begins at `at` with `byte`. */
export function scalarEnd(bytes: Buffer, at: number, byte: number | undefined): number {
  switch (byte) {
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

export function wordEnd(bytes: Buffer, start: number, word: Buffer): number {
  for (let index = 0; index < word.length; index += 1) if (bytes[start + index] !== word[index]) return MALFORMED;
  return start + word.length;
}

function numberEnd(bytes: Buffer, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (!isDigit(bytes[at])) return MALFORMED;
  at = bytes[at] === ZERO ? at + 1 : digitsEnd(bytes, at);
  if (bytes[at] === DOT) {
    if (!isDigit(bytes[at + 1])) return MALFORMED;
    at = digitsEnd(bytes, at + 1);
  }
  if (((bytes[at] ?? 0) | 0x20) === LETTER_E) {
    at += 1;
    if (bytes[at] === PLUS || bytes[at] === MINUS) at += 1;
    if (!isDigit(bytes[at])) return MALFORMED;
    at = digitsEnd(bytes, at);
  }
  return at;
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

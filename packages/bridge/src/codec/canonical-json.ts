/**
 * Finds JSON values in bytes whose text is already as `JSON.stringify(JSON.parse(text))` would write it, so that it can
 * be stored as it came. Everything else is left to the parser.
 */

/** Not canonical, or not JSON: -1 instead of an end. */
export const UNUSUAL = -1;

/** Nested deeper than this is unusual. */
const MAX_DEPTH = 64;
/** Objects with more names are unusual: each new name is compared with those before it. */
const MAX_NAMES = 64;
/** Decimal numbers of so many digits survive a double: every one has a double of its own (`DBL_DIG`). */
const EXACT_DIGITS = 15;
/** Smaller numbers are written with an exponent: 0.000001 is the least that is not (ECMA-262, Number::toString). */
const MAX_LEADING_ZEROS = 5;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

const SPACES = flags([0x20, 0x0a, 0x0d, 0x09]);
/** Bytes of a string that are written as they are. Text outside the BMP begins with 0xf0 or more, and is escaped. */
const PLAIN = flags(
  Array.from({ length: 0xf0 }, (_, byte) => byte).filter(
    (byte) => byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH,
  ),
);
/** What follows the backslash of `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, which are written the same way. */
const SHORT_ESCAPES = flags([...Buffer.from('"\\bfnrt')]);

function flags(bytes: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of bytes) table[byte] = 1;
  return table;
}

/** Reads the bytes of one text, which are valid UTF-8. */
export class CanonicalJson {
  /** Whether there was space between the tokens of the values since this was last set: {@link withoutSpace} removes it. */
  hasSpace = false;
  readonly #bytes: Buffer;
  /** Hashes of the names of the objects around the place that is read, the innermost last. */
  readonly #names: number[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The first byte from `at` on that is no space. */
  afterSpace(at: number): number {
    const bytes = this.#bytes;
    let end = at;
    while (SPACES[bytes[end] as number] === 1) end += 1;
    return end;
  }

  /** Just after the value that begins at `at`. */
  valueEnd(at: number, depth = 0): number {
    switch (this.#bytes[at]) {
      case QUOTE:
        return this.stringEnd(at + 1);
      case OPENING_BRACE:
        return depth === MAX_DEPTH ? UNUSUAL : this.#objectEnd(at + 1, depth + 1);
      case OPENING_BRACKET:
        return depth === MAX_DEPTH ? UNUSUAL : this.#arrayEnd(at + 1, depth + 1);
      case 0x74:
        return this.wordEnd(at, 'true');
      case 0x66:
        return this.wordEnd(at, 'false');
      case 0x6e:
        return this.wordEnd(at, 'null');
      default:
        return this.#numberEnd(at);
    }
  }

  /** Just after the quote that closes the string whose text begins at `start`. */
  stringEnd(start: number): number {
    const bytes = this.#bytes;
    let at = start;
    while (true) {
      while (PLAIN[bytes[at] as number] === 1) at += 1;
      if (bytes[at] === QUOTE) return at + 1;
      if (bytes[at] !== BACKSLASH || SHORT_ESCAPES[bytes[at + 1] as number] !== 1) return UNUSUAL;
      at += 2;
    }
  }

  wordEnd(start: number, word: 'true' | 'false' | 'null'): number {
    for (let index = 1; index < word.length; index += 1) {
      if (this.#bytes[start + index] !== word.charCodeAt(index)) return UNUSUAL;
    }
    return start + word.length;
  }

  #objectEnd(start: number, depth: number): number {
    const bytes = this.#bytes;
    const outerCount = this.#names.length;
    let at = this.#inner(start);
    if (bytes[at] === CLOSING_BRACE) return at + 1;
    while (true) {
      at = bytes[at] === QUOTE ? this.#nameEnd(at + 1, outerCount) : UNUSUAL;
      if (at === UNUSUAL) return UNUSUAL;
      at = this.#inner(at);
      if (bytes[at] !== COLON) return UNUSUAL;
      at = this.valueEnd(this.#inner(at + 1), depth);
      if (at === UNUSUAL) return UNUSUAL;
      at = this.#inner(at);
      if (bytes[at] === CLOSING_BRACE) break;
      if (bytes[at] !== COMMA) return UNUSUAL;
      at = this.#inner(at + 1);
    }
    this.#names.length = outerCount;
    return at + 1;
  }

  #arrayEnd(start: number, depth: number): number {
    const bytes = this.#bytes;
    let at = this.#inner(start);
    if (bytes[at] === CLOSING_BRACKET) return at + 1;
    while (true) {
      at = this.valueEnd(at, depth);
      if (at === UNUSUAL) return UNUSUAL;
      at = this.#inner(at);
      if (bytes[at] === CLOSING_BRACKET) return at + 1;
      if (bytes[at] !== COMMA) return UNUSUAL;
      at = this.#inner(at + 1);
    }
  }

  /** Past space within a value, which is not written. */
  #inner(at: number): number {
    const end = this.afterSpace(at);
    if (end !== at) this.hasSpace = true;
    return end;
  }

  /** Names with escapes are unusual, and those that begin with a digit: engines move numbers to the front. */
  #nameEnd(start: number, outerCount: number): number {
    const bytes = this.#bytes;
    const names = this.#names;
    if (isDigit(bytes[start])) return UNUSUAL;
    let at = start;
    let hash = 0;
    while (PLAIN[bytes[at] as number] === 1) {
      hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
      at += 1;
    }
    if (bytes[at] !== QUOTE || names.length - outerCount === MAX_NAMES) return UNUSUAL;
    // Of two members with one name the last wins; two names with one hash are rare enough.
    for (let index = outerCount; index < names.length; index += 1) if (names[index] === hash) return UNUSUAL;
    names.push(hash);
    return at + 1;
  }

  #numberEnd(start: number): number {
    const bytes = this.#bytes;
    const first = bytes[start] === MINUS ? start + 1 : start;
    if (!isDigit(bytes[first])) return UNUSUAL;
    const isZero = bytes[first] === ZERO;
    let at = isZero ? first + 1 : digitsEnd(bytes, first);
    let digitCount = at - first;
    const isFraction = bytes[at] === DOT;
    if (isFraction) {
      const fraction = at + 1;
      at = digitsEnd(bytes, fraction);
      digitCount += at - fraction;
      if (at === fraction || bytes[at - 1] === ZERO || (isZero && hasLeadingZeros(bytes, fraction))) return UNUSUAL;
    }
    // -0 is written 0; an exponent, or digits after a zero, are left to the parser.
    const isUnusual = digitCount > EXACT_DIGITS || (isZero && !isFraction && first !== start);
    return isUnusual || isNumberPart(bytes[at]) ? UNUSUAL : at;
  }
}

/** A value of {@link CanonicalJson.valueEnd} without the space between its tokens. */
export function withoutSpace(bytes: Buffer, start: number, end: number): Buffer {
  const target = Buffer.allocUnsafe(end - start);
  let length = 0;
  let isInString = false;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (isInString) {
      if (byte === BACKSLASH) {
        target[length] = byte;
        length += 1;
        at += 1;
      } else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (SPACES[byte] === 1) continue;
    target[length] = bytes[at] as number;
    length += 1;
  }
  return target.subarray(0, length);
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

function hasLeadingZeros(bytes: Buffer, start: number): boolean {
  let at = start;
  while (bytes[at] === ZERO) at += 1;
  return at - start > MAX_LEADING_ZEROS;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** A digit, `.`, `e` or `E`. */
function isNumberPart(byte: number | undefined): boolean {
  return isDigit(byte) || byte === DOT || byte === 0x65 || byte === 0x45;
}

/**
 * Finds where JSON values end (RFC 8259) in one pass over bytes, without making values of them, and notes what must be
 * changed before a value is stored. Comments count as space. Long values can be read in slices.
 */
import { randomInt } from 'node:crypto';
import { escapeBytes, JSON_BYTES, scalarEnd } from './json-grammar.ts';

const {
  MALFORMED,
  ASTERISK,
  BACKSLASH,
  CARRIAGE_RETURN,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COLON,
  COMMA,
  FIRST_ASTRAL,
  LINE_FEED,
  MINUS,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
  SLASH,
  SPACE,
  SPACES,
  UNESCAPED,
} = JSON_BYTES;

/** The value continues beyond the place where {@link JsonScanner.resume} had to pause. */
export const PAUSED = -2;

/** Limits of the peer API's JSON parser: containers within each other, and characters of a number beside its sign. */
export const MAX_NESTING = 1000;
const MAX_NUMBER_LENGTH = 1000;
/** Of space and comments between two tokens: it is read at once. */
const MAX_SPACE_BYTES = 1_048_576;
/** Names of an object are compared one by one up to this number; more are looked up in a set. */
const MAX_LISTED_NAMES = 16;
/** The multiplier of the hash of names is odd and random: clients cannot construct names with equal hashes. */
const HASH_MULTIPLIER = randomInt(2 ** 31) | 1;
/** A character beyond the BMP has four bytes in UTF-8, and twelve as `\ud83d\ude00`. */
const ASTRAL_GROWTH_BYTES = 8;

/** Bytes of a string that are stored as they are; characters beyond the BMP are escaped. */
export const PLAIN = UNESCAPED.map((flag, byte) => (byte < FIRST_ASTRAL ? flag : 0));

/** One value as it stands in a body, and what is special about it. */
export interface JsonText {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Space and comments within the value. */
  readonly spaceBytes: number;
  /** Bytes by which the value may grow when it is stored. */
  readonly growthBytes: number;
  readonly hasBackslash: boolean;
  /** Whether a string has an escape that is stored in another form. */
  readonly hasUnusualEscape: boolean;
  /** Whether two members of an object may have one name. */
  readonly mayRepeatNames: boolean;
}

export interface ScannerOptions {
  /** Values that are longer than this, without space, cannot be stored: names in them are not compared. */
  maxValueBytes: number;
  /** Default: the limit of the peer API's parser. */
  maxNesting?: number;
}

/** Reads the bytes of one text, which are valid UTF-8. */
export class JsonScanner implements JsonText {
  readonly bytes: Buffer;
  start = 0;
  end = 0;
  spaceBytes = 0;
  growthBytes = 0;
  hasBackslash = false;
  hasUnusualEscape = false;
  mayRepeatNames = false;
  readonly #maxValueBytes: number;
  readonly #maxNesting: number;
  /** Where {@link resume} continues. */
  #at = 0;
  #depth = 0;
  #outerDepth = 0;
  #isInString = false;
  /** Whether the container that was opened last is closed already. */
  #isLeft = false;
  /** Whether the container of each depth is an object. */
  readonly #isObject: boolean[] = [];
  /** Hashes of the names of the objects that are open, the innermost last; `#firstNames`: where each depth begins. */
  readonly #names: number[] = [];
  readonly #firstNames: number[] = [];
  #nameCount = 0;
  /** For objects with many names, by depth. */
  readonly #lookups: (Set<number> | undefined)[] = [];

  constructor(bytes: Buffer, { maxValueBytes, maxNesting = MAX_NESTING }: ScannerOptions) {
    this.bytes = bytes;
    this.#maxValueBytes = maxValueBytes;
    this.#maxNesting = maxNesting;
  }

  /** The value that was read last, to keep while the scanner reads others. */
  snapshot(): JsonText {
    const { bytes, start, end, spaceBytes, growthBytes, hasBackslash, hasUnusualEscape, mayRepeatNames } = this;
    return { bytes, start, end, spaceBytes, growthBytes, hasBackslash, hasUnusualEscape, mayRepeatNames };
  }

  /** The first byte from `at` on that is neither space nor part of a comment. */
  afterSpace(at: number): number {
    const byte = this.bytes[at];
    return byte === undefined || (byte > SPACE && byte !== SLASH) ? at : this.#afterSpaces(at);
  }

  /** Just after the value that begins at `start`, within `depth` containers; {@link MALFORMED}, {@link PAUSED}. */
  valueEnd(start: number, depth: number, pauseAt: number): number {
    this.start = start;
    this.spaceBytes = 0;
    this.growthBytes = 0;
    this.hasBackslash = false;
    this.hasUnusualEscape = false;
    this.mayRepeatNames = false;
    this.#at = start;
    this.#depth = depth;
    this.#outerDepth = depth;
    this.#nameCount = 0;
    this.#isInString = false;
    return this.resume(pauseAt);
  }

  /** Continues a value where {@link valueEnd} paused. */
  resume(pauseAt: number): number {
    let at = this.#at;
    while (at <= pauseAt) {
      const start = this.#isInString ? at : this.#inner(at);
      const byte = this.bytes[start];
      if (this.#isInString) at = this.#unusualStringEnd(start, pauseAt);
      else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
        at = this.#opened(start, byte === OPENING_BRACE);
        if (at === MALFORMED) return MALFORMED;
        // Its first value comes next, unless it is empty.
        if (!this.#isLeft) continue;
      } else at = byte === QUOTE ? this.stringEnd(start + 1, pauseAt) : this.#scalarEnd(start, byte);
      if (at < 0) return at;
      if (this.#depth > this.#outerDepth) at = this.#closed(at);
      if (at === MALFORMED) return MALFORMED;
      if (this.#depth === this.#outerDepth) {
        this.end = at;
        return at;
      }
    }
    this.#at = at;
    return PAUSED;
  }

  /** Just after the quote that closes the string whose text begins at `start`. */
  stringEnd(start: number, pauseAt = Number.POSITIVE_INFINITY): number {
    const { bytes } = this;
    let at = start;
    while (PLAIN[bytes[at] as number] === 1) at += 1;
    return bytes[at] === QUOTE ? at + 1 : this.#unusualStringEnd(at, pauseAt);
  }

  #unusualStringEnd(start: number, pauseAt: number): number {
    const { bytes } = this;
    let at = start;
    let hasBackslash = false;
    let hasUnusualEscape = false;
    let astralCount = 0;
    for (let byte = bytes[at]; byte !== QUOTE && at <= pauseAt; byte = bytes[at]) {
      if (PLAIN[byte as number] === 1) at += 1;
      else if (byte === BACKSLASH) {
        hasBackslash = true;
        const bytesOfEscape = escapeBytes(bytes, at);
        if (bytesOfEscape === 0) return MALFORMED;
        if (bytesOfEscape > 2 || bytes[at + 1] === SLASH) hasUnusualEscape = true;
        at += bytesOfEscape;
      } else if (byte !== undefined && byte >= FIRST_ASTRAL) {
        astralCount += 1;
        at += 1;
      } else return MALFORMED;
    }
    if (hasBackslash) this.hasBackslash = true;
    if (hasUnusualEscape) this.hasUnusualEscape = true;
    this.growthBytes += astralCount * ASTRAL_GROWTH_BYTES;
    this.#isInString = bytes[at] !== QUOTE;
    if (!this.#isInString) return at + 1;
    this.#at = at;
    return PAUSED;
  }

  #scalarEnd(at: number, byte: number | undefined): number {
    const end = scalarEnd(this.bytes, at, byte);
    const sign = byte === MINUS ? 1 : 0;
    return end - at - sign > MAX_NUMBER_LENGTH ? MALFORMED : end;
  }

  /** Where the first value of a container begins; just after the container, if it is empty. */
  #opened(start: number, isObject: boolean): number {
    if (this.#depth >= this.#maxNesting) return MALFORMED;
    this.#depth += 1;
    this.#isObject[this.#depth] = isObject;
    this.#firstNames[this.#depth] = this.#nameCount;
    const first = this.#inner(start + 1);
    this.#isLeft = this.bytes[first] === (isObject ? CLOSING_BRACE : CLOSING_BRACKET);
    if (this.#isLeft) return this.#leave(first);
    return isObject ? this.#nameEnd(first) : first;
  }

  /** Where the next value begins, after one that ends at `end`; where the whole value ends, once no container is open. */
  #closed(end: number): number {
    const { bytes } = this;
    let at = end;
    while (this.#depth > this.#outerDepth) {
      at = this.#inner(at);
      const byte = bytes[at];
      if (this.#isObject[this.#depth]) {
        if (byte === COMMA) return this.#nameEnd(this.#inner(at + 1));
        if (byte !== CLOSING_BRACE) return MALFORMED;
      } else {
        if (byte === COMMA) return at + 1;
        if (byte !== CLOSING_BRACKET) return MALFORMED;
      }
      at = this.#leave(at);
    }
    return at;
  }

  #leave(at: number): number {
    const depth = this.#depth;
    this.#nameCount = this.#firstNames[depth] as number;
    if (depth < this.#lookups.length) this.#lookups.length = depth;
    this.#depth = depth - 1;
    return at + 1;
  }

  /** Just after the colon that follows the name that begins at `start`. */
  #nameEnd(start: number): number {
    const { bytes } = this;
    if (bytes[start] !== QUOTE) return MALFORMED;
    let at = start + 1;
    let hash = 0;
    while (PLAIN[bytes[at] as number] === 1) {
      hash = (Math.imul(hash, HASH_MULTIPLIER) + (bytes[at] as number)) | 0;
      at += 1;
    }
    if (bytes[at] === QUOTE) {
      at += 1;
      this.#addName(hash, at);
    } else {
      at = this.stringEnd(at);
      if (at === MALFORMED) return MALFORMED;
      this.mayRepeatNames = true;
    }
    at = this.#inner(at);
    return bytes[at] === COLON ? at + 1 : MALFORMED;
  }

  #addName(hash: number, at: number): void {
    if (this.mayRepeatNames || at - this.start - this.spaceBytes > this.#maxValueBytes) return;
    const names = this.#names;
    const first = this.#firstNames[this.#depth] as number;
    if (this.#nameCount - first === MAX_LISTED_NAMES) {
      this.#lookUp(hash, first);
      return;
    }
    for (let index = first; index < this.#nameCount; index += 1) {
      if (names[index] === hash) this.mayRepeatNames = true;
    }
    names[this.#nameCount] = hash;
    this.#nameCount += 1;
  }

  #lookUp(hash: number, first: number): void {
    const lookups = this.#lookups;
    let lookup = lookups[this.#depth];
    if (lookup === undefined) {
      lookup = new Set(this.#names.slice(first, this.#nameCount));
      while (lookups.length < this.#depth) lookups.push(undefined);
      lookups[this.#depth] = lookup;
    }
    if (lookup.has(hash)) this.mayRepeatNames = true;
    else lookup.add(hash);
  }

  /** The place after space within a value, which is not stored. */
  #inner(at: number): number {
    const end = this.afterSpace(at);
    if (end !== at) this.spaceBytes += end - at;
    return end;
  }

  #afterSpaces(start: number): number {
    const { bytes } = this;
    const limit = start + MAX_SPACE_BYTES;
    let at = start;
    while (at <= limit && SPACES[bytes[at] as number] === 1) at += 1;
    while (at <= limit && bytes[at] === SLASH) {
      const end = commentEnd(bytes, at);
      if (end === MALFORMED) return at;
      at = end;
      while (at <= limit && SPACES[bytes[at] as number] === 1) at += 1;
    }
    // Beyond the limit, space stands where the next token must be, and is malformed there.
    return at <= limit ? at : start;
  }
}

/** Just after the comment that begins with the slash at `start`. */
export function commentEnd(bytes: Buffer, start: number): number {
  const { length } = bytes;
  let end = start + 2;
  if (bytes[start + 1] === SLASH) {
    while (end < length && bytes[end] !== LINE_FEED && bytes[end] !== CARRIAGE_RETURN) end += 1;
    return end;
  }
  if (bytes[start + 1] !== ASTERISK) return MALFORMED;
  for (; end < length; end += 1) if (bytes[end] === ASTERISK && bytes[end + 1] === SLASH) return end + 2;
  return MALFORMED;
}

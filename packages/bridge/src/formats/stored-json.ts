/**
 * The bytes that are stored for a JSON value: as the client wrote it, with its members in their order and its numbers in
 * their spelling, but without space and comments, and with strings in the one form that the peer API has for them. So a
 * key has the same bytes, and goes to the same partition, however its client escapes text.
 */
import { hexDigit, JSON_BYTES } from './json-grammar.ts';
import { commentEnd, type JsonText } from './json-scanner.ts';

const {
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COMMA,
  ESCAPE_BYTES,
  FIRST_ASTRAL,
  LETTER_U,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
  SLASH,
  SPACE,
} = JSON_BYTES;

const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;

/** Bytes of a value that are read in one slice. */
const SLICE_BYTES = 131_072;

const HEX_DIGITS = Buffer.from('0123456789ABCDEF');
/** By the code of a character, what follows the backslash of its escape of two bytes; 0 for those that have none. */
const SHORT_ESCAPES = new Uint8Array(0x80);
for (const [index, char] of [...'"\\\b\f\n\r\t'].entries()) {
  SHORT_ESCAPES[char.charCodeAt(0)] = '"\\bfnrt'.charCodeAt(index);
}

/** Whether the bytes to store are those of the body. */
export function isStoredAsIs({ spaceBytes, growthBytes, hasUnusualEscape, mayRepeatNames }: JsonText): boolean {
  return spaceBytes === 0 && growthBytes === 0 && !hasUnusualEscape && !mayRepeatNames;
}

/**
 * The bytes to store; they may be a part of the body. Returns a value that cannot become shorter than `maxBytes` unchanged, so that its
 * size is refused.
 */
export function storedJson(text: JsonText, maxBytes: number): Buffer {
  if (isStoredAsIs(text)) return text.bytes.subarray(text.start, text.end);
  const work = storedJsonSlices(text, maxBytes);
  while (true) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** The same, in slices. */
export function* storedJsonSlices(text: JsonText, maxBytes: number): Generator<void, Buffer> {
  const { bytes, start, end, spaceBytes, growthBytes, hasUnusualEscape, mayRepeatNames } = text;
  if (isStoredAsIs(text)) return bytes.subarray(start, end);
  const leastBytes = (end - start - spaceBytes) / (hasUnusualEscape ? ESCAPE_BYTES : 1);
  if (leastBytes > maxBytes) return bytes.subarray(start, end);
  const repeated = mayRepeatNames ? yield* repeatedMembers(text) : [];
  const writer = new JsonWriter(Buffer.allocUnsafe(end - start - spaceBytes + growthBytes));
  let at = start;
  let next = 0;
  let pauseAt = start + SLICE_BYTES;
  while (at < end) {
    if (at > pauseAt) {
      yield;
      pauseAt = at + SLICE_BYTES;
    }
    while (next < repeated.length && (repeated[next] as Span).start < at) next += 1;
    if (repeated[next]?.start === at) {
      at = (repeated[next] as Span).end;
      continue;
    }
    const byte = bytes[at] as number;
    if (byte === QUOTE) at = writer.string(bytes, at);
    else if (byte === SLASH) at = commentEnd(bytes, at);
    else {
      if (byte > SPACE) writer.add(byte);
      at += 1;
    }
  }
  return writer.bytes;
}

/** A value as it is, without space and comments. */
export function withoutSpace({ bytes, start, end, spaceBytes }: JsonText): Buffer {
  const writer = new JsonWriter(Buffer.allocUnsafe(end - start - spaceBytes));
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === SLASH) at = commentEnd(bytes, at);
    else if (byte === QUOTE) {
      const after = afterString(bytes, at);
      for (; at < after; at += 1) writer.add(bytes[at] as number);
    } else {
      if (byte > SPACE) writer.add(byte);
      at += 1;
    }
  }
  return writer.bytes;
}

interface Span {
  start: number;
  end: number;
}

interface Container {
  /** By name, the last member so far; `undefined` for an array. */
  members: Map<string, number> | undefined;
  starts: number[];
  isNameNext: boolean;
}

/** Members that another one of the same name follows in the same object, each up to the member after it; in order. */
function* repeatedMembers({ bytes, start, end }: JsonText): Generator<void, Span[]> {
  const spans: Span[] = [];
  const containers: Container[] = [];
  let at = start;
  let pauseAt = start + SLICE_BYTES;
  while (at < end) {
    if (at > pauseAt) {
      yield;
      pauseAt = at + SLICE_BYTES;
    }
    const container = containers.at(-1);
    switch (bytes[at]) {
      case QUOTE: {
        const after = afterString(bytes, at);
        if (container?.isNameNext === true) {
          addMember(container, { name: nameIn(bytes, at, after), start: at }, spans);
          container.isNameNext = false;
        }
        at = after;
        continue;
      }
      case OPENING_BRACE:
        containers.push({ members: new Map(), starts: [], isNameNext: true });
        break;
      case OPENING_BRACKET:
        containers.push({ members: undefined, starts: [], isNameNext: false });
        break;
      case CLOSING_BRACE:
      case CLOSING_BRACKET:
        containers.pop();
        break;
      case COMMA:
        if (container?.members !== undefined) container.isNameNext = true;
        break;
      case SLASH:
        at = commentEnd(bytes, at);
        continue;
      default:
    }
    at += 1;
  }
  return spans.sort((one, other) => one.start - other.start);
}

function addMember(
  { members, starts }: Container,
  { name, start }: { name: string; start: number },
  spans: Span[],
): void {
  if (members === undefined) return;
  starts.push(start);
  const earlier = members.get(name);
  if (earlier !== undefined) spans.push({ start: starts[earlier] as number, end: starts[earlier + 1] as number });
  members.set(name, starts.length - 1);
}

function afterString(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function nameIn(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

class JsonWriter {
  readonly #target: Buffer;
  #end = 0;

  constructor(target: Buffer) {
    this.#target = target;
  }

  get bytes(): Buffer {
    return this.#target.subarray(0, this.#end);
  }

  add(byte: number): void {
    this.#target[this.#end] = byte;
    this.#end += 1;
  }

  /** Adds the string that begins with the quote at `start`; returns the place just after it. */
  string(bytes: Buffer, start: number): number {
    this.add(QUOTE);
    let at = start + 1;
    while (bytes[at] !== QUOTE) {
      const byte = bytes[at] as number;
      if (byte === BACKSLASH) at = this.#escape(bytes, at + 1);
      else if (byte >= FIRST_ASTRAL) at = this.#astral(bytes, at);
      else {
        this.add(byte);
        at += 1;
      }
    }
    this.add(QUOTE);
    return at + 1;
  }

  #escape(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number;
    if (byte === LETTER_U) {
      let unit = 0;
      for (let place = at + 1; place <= at + 4; place += 1) unit = unit * 16 + (hexDigit(bytes[place]) as number);
      this.#unit(unit);
      return at + 5;
    }
    if (byte !== SLASH) this.add(BACKSLASH);
    this.add(byte);
    return at + 1;
  }

  /** One UTF-16 code unit that was escaped: written as itself where the peer API does so. */
  #unit(unit: number): void {
    const short = unit < 0x80 ? (SHORT_ESCAPES[unit] as number) : 0;
    if (short !== 0) {
      this.add(BACKSLASH);
      this.add(short);
    } else if (unit < SPACE || (unit >= FIRST_SURROGATE && unit <= LAST_SURROGATE)) this.#escaped(unit);
    else if (unit < 0x80) this.add(unit);
    else {
      if (unit < 0x800) this.add(0xc0 | (unit >> 6));
      else {
        this.add(0xe0 | (unit >> 12));
        this.add(0x80 | ((unit >> 6) & 0x3f));
      }
      this.add(0x80 | (unit & 0x3f));
    }
  }

  /** A character beyond the BMP, as two escapes. */
  #astral(bytes: Buffer, at: number): number {
    const code =
      (((bytes[at] as number) & 0x07) << 18) |
      (((bytes[at + 1] as number) & 0x3f) << 12) |
      (((bytes[at + 2] as number) & 0x3f) << 6) |
      ((bytes[at + 3] as number) & 0x3f);
    const offset = code - 0x10000;
    this.#escaped(0xd800 | (offset >> 10));
    this.#escaped(0xdc00 | (offset & 0x3ff));
    return at + 4;
  }

  #escaped(unit: number): void {
    this.add(BACKSLASH);
    this.add(LETTER_U);
    for (let shift = 12; shift >= 0; shift -= 4) this.add(HEX_DIGITS[(unit >> shift) & 0xf] as number);
  }
}

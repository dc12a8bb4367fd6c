/** Keys and values as JSON. */
import { isUtf8 } from 'node:buffer';
import { BridgeError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { hasJsonShape } from './json-bytes.ts';
import { JSON_BYTES } from './json-grammar.ts';
import { JsonScanner, PAUSED } from './json-scanner.ts';
import { storedJson, storedJsonSlices, withoutSpace } from './stored-json.ts';

const { MALFORMED } = JSON_BYTES;

export const jsonCodec: Codec = {
  encode: storedJson,
  encodeInSlices: storedJsonSlices,
  keeps: 'values',
  // JSON holds every value that a body can hold.
  refusal: (_text, { name, index }) =>
    new BridgeError('invalidValue', { message: `The ${name} is no JSON (record ${index})` }),
  isAnswer: hasJsonShape,
  decode(bytes) {
    return firstValue(utf8Of(bytes), Number.POSITIVE_INFINITY).next().value as string;
  },
  *decodeInSlices(bytes) {
    return yield* firstValue(utf8Of(bytes), SLICE_BYTES);
  },
};

/** Bytes of a stored value that are read before the event loop may go on. */
const SLICE_BYTES = 131_072;

/**
 * The JSON value that bytes begin with, as it is stored: numbers keep their digits, objects their order. What follows it is
 * ignored, as the original does; comments are space. Nothing but space reads as null. Pauses after so many bytes.
 */
function* firstValue(bytes: Buffer, sliceBytes: number): Generator<void, string> {
  // What others stored may be nested more deeply than what clients may send.
  const scanner = new JsonScanner(bytes, { maxValueBytes: 0, maxNesting: bytes.length });
  const start = scanner.afterSpace(markEnd(bytes));
  if (start === bytes.length) return 'null';
  let pauseAt = start + sliceBytes;
  let end = scanner.valueEnd(start, 0, pauseAt);
  while (end === PAUSED) {
    yield;
    pauseAt += sliceBytes;
    end = scanner.resume(pauseAt);
  }
  if (end === MALFORMED || !isEnding(bytes, end)) throw undecodable('the bytes do not begin with a JSON value');
  if (!isUtf8(bytes.subarray(start, end))) throw undecodable('the JSON text is not UTF-8');
  const text = bytes.toString('utf8', start, end);
  return scanner.spaceBytes > 0 && text.includes('/') ? withoutSpace(scanner).toString() : text;
}

/** Behind a byte order mark, if there is one. */
export function markEnd(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Whether a value is over: strings, objects and arrays say so themselves, numbers and words do not. */
function isEnding(bytes: Buffer, end: number): boolean {
  return '"}]'.includes(String.fromCharCode(bytes[end - 1] as number)) || !(WORD[bytes[end] as number] === 1);
}

/** Bytes that go on with a number or a word. */
const WORD = new Uint8Array(256).map((_, byte) => (/[^\s,\]}]/.test(String.fromCharCode(byte)) ? 1 : 0));

/** JSON in UTF-16 is read, too, as the original does: its first character is ASCII, so one byte of that is zero. */
function utf8Of(bytes: Buffer): Buffer {
  const [first, second] = bytes;
  const isLittleEndian = second === 0 || (first === 0xff && second === 0xfe);
  if (!isLittleEndian && first !== 0 && !(first === 0xfe && second === 0xff)) return bytes;
  try {
    return Buffer.from(new TextDecoder(isLittleEndian ? 'utf-16le' : 'utf-16be', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw undecodable('the bytes are neither UTF-8 nor UTF-16', cause);
  }
}

function undecodable(reason: string, cause?: unknown): BridgeError {
  return new BridgeError('recordUndecodable', {
    message: `Failed to decode: ${reason}, which the format 'json' needs; 'binary' shows any bytes`,
    cause,
  });
}

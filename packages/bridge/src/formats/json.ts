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
    new BridgeError('invalidValue', { message: `The ${name} is not valid JSON (record ${index})` }),
  isAnswer: hasJsonShape,
  decode(bytes) {
    return firstValue(utf8Of(bytes), Number.POSITIVE_INFINITY).next().value as string;
  },
  *decodeInSlices(bytes) {
    return yield* firstValue(utf8Of(bytes), SLICE_BYTES);
  },
};

/** Bytes of a stored value that are read in one slice. */
const SLICE_BYTES = 131_072;

/**
 * The JSON value that bytes begin with, as it is stored: numbers keep their digits, objects their order. Bytes after the value are
 * ignored, as in the peer API; comments are space. Nothing but space reads as null. Pauses after `sliceBytes`.
 */
function* firstValue(bytes: Buffer, sliceBytes: number): Generator<void, string> {
  // Other producers may have stored deeper nesting than clients of the bridge may send.
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

/** The place after a byte order mark, or 0. */
export function markEnd(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Whether a value is complete: strings, objects and arrays have a closing byte, numbers and literals do not. */
function isEnding(bytes: Buffer, end: number): boolean {
  return '"}]'.includes(String.fromCharCode(bytes[end - 1] as number)) || !(WORD[bytes[end] as number] === 1);
}

/** Bytes that continue a number or a literal. */
const WORD = new Uint8Array(256).map((_, byte) => (/[^\s,\]}]/.test(String.fromCharCode(byte)) ? 1 : 0));

/** Reads JSON in UTF-16, too, as the peer API does: its first character is ASCII, so one byte of it is zero. */
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

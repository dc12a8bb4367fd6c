/** Decodes a chunked body from pieces of any size (RFC 9112 §7.1), and drops extensions and trailers. */
import { badResponse } from './errors.ts';

/** Limit for a chunk size with its extensions, and for all trailers together. */
const MAX_LINES_BYTES = 16_384;
/** Up to as many hexadecimal digits as a double holds exactly. */
const CHUNK_SIZE = /^([0-9a-f]{1,13})(?:;[\t\x20-\x7e\x80-\xff]*)?$/i;
const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;
const LF = 10;
const CR = 13;
const HEXADECIMAL = 16;

type State = 'size' | 'data' | 'dataEnd' | 'trailers' | 'complete';

export class ChunkedBody {
  readonly #onData: (part: Buffer) => void;
  #state: State = 'size';
  #leftBytes = 0;
  /** The beginning of an incomplete line. */
  #begun = '';
  #trailerBytes = 0;

  /** `onData` receives parts of the body that are valid during the call only. */
  constructor(onData: (part: Buffer) => void) {
    this.#onData = onData;
  }

  get isComplete(): boolean {
    return this.#state === 'complete';
  }

  /** Returns the bytes that follow the complete body. Errors: `BAD_RESPONSE`. */
  execute(bytes: Buffer): Buffer {
    let at = 0;
    while (at < bytes.length && this.#state !== 'complete') {
      at = this.#state === 'data' ? this.#readData(bytes, at) : this.#readLine(bytes, at);
    }
    return bytes.subarray(at);
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    if (this.#leftBytes === 0) this.#state = 'dataEnd';
    this.#onData(bytes.subarray(at, end));
    return end;
  }

  #readLine(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at);
    const end = lineFeed === -1 ? bytes.length : lineFeed;
    if (this.#begun.length + end - at > MAX_LINES_BYTES) throw badResponse('a line of the body is too long');
    const text = this.#begun + bytes.toString('latin1', at, end);
    if (lineFeed === -1) {
      this.#begun = text;
      return end;
    }
    this.#begun = '';
    if (text.charCodeAt(text.length - 1) !== CR) throw badResponse('a line of the body does not end in CR LF');
    this.#take(text.slice(0, -1));
    return end + 1;
  }

  #take(line: string): void {
    if (this.#state === 'dataEnd') {
      if (line !== '') throw badResponse('a chunk is longer than its size');
      this.#state = 'size';
    } else if (this.#state === 'size') {
      const digits = CHUNK_SIZE.exec(line)?.[1];
      if (digits === undefined) throw badResponse('invalid chunk size');
      this.#leftBytes = Number.parseInt(digits, HEXADECIMAL);
      this.#state = this.#leftBytes === 0 ? 'trailers' : 'data';
    } else if (line === '') {
      this.#state = 'complete';
    } else {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > MAX_LINES_BYTES) throw badResponse('the trailers are too long');
      if (!TRAILER.test(line)) throw badResponse('invalid trailer');
    }
  }
}

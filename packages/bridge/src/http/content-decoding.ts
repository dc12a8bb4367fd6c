/** Decodes the content codings of request bodies (RFC 9110 §8.4), within the limits of one body and of all held bytes. */

import { addAbortSignal } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { CONTENT_CODINGS, type ContentCoding, contentCoding } from '@causeway/protocol/content-codings.ts';
import { BridgeError } from '../errors.ts';
import type { Load } from './load.ts';
import type { Visit } from './visits.ts';

/** More codings on top of each other serve no purpose, and multiply the work. */
const MAX_CODINGS = 3;
/** As many as the threads of Node's pool. A decoder has a window of up to 16 MiB of its own. */
const MAX_DECODERS = 4;
/** The largest window of a frame, which a decoder keeps in memory: 8 MiB (RFC 9659). */
const MAX_ZSTD_WINDOW_LOG = 23;
/** The size of a decoder's chunks. */
const CHUNK_BYTES = 65_536;

/** The codings of a body in the order in which they were applied. Errors: `contentCodingUnsupported`. */
export function contentCodings(header: string | undefined): readonly ContentCoding[] {
  if (header === undefined) return [];
  const codings: ContentCoding[] = [];
  for (const element of header.split(',', MAX_ELEMENTS)) {
    const name = element.trim().toLowerCase();
    if (name === '' || name === 'identity') continue;
    const coding = contentCoding(name);
    if (coding === undefined) throw unsupported(`Content-Encoding ${JSON.stringify(name.slice(0, 40))}`);
    codings.push(coding);
  }
  if (codings.length > MAX_CODINGS) throw unsupported(`More than ${MAX_CODINGS} content codings`);
  return codings;
}

/** Enough to find one coding too many. */
const MAX_ELEMENTS = 100;

function unsupported(what: string): BridgeError {
  return new BridgeError('contentCodingUnsupported', {
    message: `${what} is not supported: use one of ${CONTENT_CODINGS.join(', ')}, or none`,
  });
}

/** The limits of the body, and what counts it. */
export interface DecodedBody {
  readonly maxBodyBytes: number;
  readonly load: Pick<Load, 'checkBytes'>;
  readonly visit: Pick<Visit, 'over' | 'hold'>;
}

/** Decodes a few bodies at a time; others wait their turn. */
export class ContentDecoder {
  #openCount = 0;
  /** In order of arrival. */
  readonly #waiting = new Set<() => void>();

  /**
   * Counts the bytes while they grow, also those of a coding inside another. Stops, and leaves the queue, when the request
   * is over. Errors: `bodyTooLarge`, `overloaded`, `bodyUndecodable`, `badRequest` when the client goes away.
   */
  async decode(body: Buffer, codings: readonly ContentCoding[], reader: DecodedBody): Promise<Buffer> {
    const { over } = reader.visit;
    await this.#turn(over);
    try {
      let content = body;
      for (const coding of codings.toReversed()) {
        const decoded = await decodeOnce(content, coding, reader, over);
        reader.visit.hold(-content.length);
        content = decoded;
      }
      return content;
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#openCount -= 1;
      else next();
    }
  }

  /** Waits for a free decoder. Errors: `badRequest` when the request is over first. */
  async #turn(over: AbortSignal): Promise<void> {
    if (over.aborted) throw clientGone();
    if (this.#openCount < MAX_DECODERS) {
      this.#openCount += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        this.#waiting.delete(begin);
        over.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(begin);
        reject(clientGone());
      };
      this.#waiting.add(begin);
      over.addEventListener('abort', leave, { once: true });
    });
  }
}

async function decodeOnce(
  body: Buffer,
  coding: ContentCoding,
  reader: DecodedBody,
  over: AbortSignal,
): Promise<Buffer> {
  if (over.aborted) throw clientGone();
  const chunks: Buffer[] = [];
  let decodedBytes = 0;
  const decoder = addAbortSignal(over, createDecoder(coding, body));
  decoder.end(body);
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      if (decodedBytes + chunk.length > reader.maxBodyBytes) {
        const message = `The request body is larger than the limit of ${reader.maxBodyBytes} bytes when it is decoded (${coding})`;
        throw new BridgeError('bodyTooLarge', { message });
      }
      reader.load.checkBytes(chunk.length);
      reader.visit.hold(chunk.length);
      decodedBytes += chunk.length;
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    if (over.aborted) throw clientGone();
    throw undecodable(coding, cause);
  }
  // Most decoders ignore bytes behind the end of their data.
  if (decoder.bytesWritten < body.length) throw undecodable(coding);
  return Buffer.concat(chunks, decodedBytes);
}

function clientGone(): BridgeError {
  return new BridgeError('badRequest');
}

function undecodable(coding: ContentCoding, cause?: unknown): BridgeError {
  const message = `Validation error on: The request body can't be decoded: it is not valid ${coding}, which its Content-Encoding names`;
  return new BridgeError('bodyUndecodable', { message, cause });
}

function createDecoder(coding: ContentCoding, body: Buffer) {
  const options = { chunkSize: CHUNK_BYTES };
  switch (coding) {
    case 'gzip':
      return createGunzip(options);
    case 'deflate':
      return hasZlibHeader(body) ? createInflate(options) : createInflateRaw(options);
    case 'br':
      return createBrotliDecompress(options);
    case 'zstd':
      return createZstdDecompress({ ...options, params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG } });
    default:
      return assertNever(coding);
  }
}

/** Some clients leave out the zlib header, against RFC 9110 §8.4.1.2; RFC 1950 §2.2 says how to recognize it. */
function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] ?? 0) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

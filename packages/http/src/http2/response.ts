/** The response to one request of an HTTP/2 connection, as exchanges write Node's responses of HTTP/1.1. */
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Indexed } from '../indexed-list.ts';
import type { ResponseMessage, StreamOutlet, StreamOwner } from '../message.ts';
import { NOTHING_WAITS, type ReadingProgress } from '../reading-progress.ts';
import type { Http2Request } from './request.ts';

/** A body is written in such pieces, so that its progress shows: Node reports what it took of several writes at their end. */
const PIECE_BYTES = 16_384;
const NO_BODY = { endStream: true };
const NOTHING: Buffer[] = [];
/** Node resets a stream that is destroyed with an error with `INTERNAL_ERROR`. */
const INCOMPLETE = new Error('the response is incomplete');

export class Http2Response implements ResponseMessage, StreamOutlet, ReadingProgress, Indexed {
  /** The place in the list of the connection's open streams. */
  listIndex = -1;
  readonly req: Http2Request;
  owner: StreamOwner | undefined;
  /** When it was first looked at for its time limits; 0: not yet. */
  watchedSinceMs = 0;
  /** The bytes of the body as the last look found them, and when they changed. */
  seenBytes = 0;
  progressAtMs = 0;
  seenTakenBytes = NOTHING_WAITS;
  unreadMs = 0;
  /** Whether the last look found it finished. */
  wasFinished = false;
  readonly #stream: ServerHttp2Stream;
  /** It has no body. */
  readonly #isHead: boolean;
  #head: string[] | undefined;
  #writtenBytes = 0;
  /** What is not written yet, from `#restIndex` on. */
  #rest: Buffer[] = NOTHING;
  #restIndex = 0;
  #restBytes = 0;
  /** The last byte is in the rest. */
  #isEnding = false;
  /** The stream takes no more for now. */
  #isFull = false;
  #onceDrained: (() => void) | undefined;

  constructor(req: Http2Request) {
    this.req = req;
    this.#stream = req.stream;
    this.#isHead = req.method === 'HEAD';
  }

  get outlet(): StreamOutlet {
    return this;
  }

  get socket(): null {
    return null;
  }

  get shouldKeepAlive(): boolean {
    return this.#stream.session?.closed === false;
  }

  set shouldKeepAlive(isKept: boolean) {
    if (!isKept) this.#stream.session?.close();
  }

  get closed(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  /** Whether the system has taken all of it. */
  get isFinished(): boolean {
    return this.headersSent && this.#stream.writableFinished;
  }

  get writableLength(): number {
    return this.#stream.writableLength + this.#restBytes;
  }

  get takenBytes(): number {
    return this.#writtenBytes - this.#stream.writableLength;
  }

  writeContinue(): void {
    if (!this.closed) this.#stream.additionalHeaders({ ':status': constants.HTTP_STATUS_CONTINUE });
  }

  /** The head leaves with the first bytes of the body, or with the end. */
  writeHead(status: number, headers: string[]): this {
    headers.unshift(':status', String(status));
    this.#head = headers;
    return this;
  }

  write(chunk: Buffer): boolean {
    // The client has reset the stream, and its owner knows.
    if (this.closed) return true;
    this.#sendHead(false);
    if (this.#isHead || this.closed) return true;
    this.#add(chunk);
    return !this.#isFull;
  }

  end(body?: Buffer | string, encoding: 'latin1' | undefined = undefined): this {
    if (this.closed) return this;
    const bytes = typeof body === 'string' ? Buffer.from(body, encoding) : body;
    const isEmpty = bytes === undefined || bytes.length === 0 || this.#isHead;
    this.#sendHead(isEmpty);
    if (this.closed) return this;
    // The client may stop sending its body (RFC 9113 §8.1).
    if (!this.req.complete) this.#stream.once('finish', () => this.#stream.close(constants.NGHTTP2_NO_ERROR));
    this.#isEnding = true;
    if (!isEmpty) this.#add(bytes);
    else if (this.#restBytes === 0) this.#stream.end();
    return this;
  }

  /** Ends a stream whose response is complete, and whose client has not ended its side. */
  close(): void {
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Resets the stream: the client learns that the response is incomplete. */
  destroy(): this {
    // Not `close` with a code, which ends the response before it resets the stream: a part would look like the whole.
    if (!this.closed) this.#stream.destroy(INCOMPLETE);
    return this;
  }

  /** `finish`: the system has taken all of it. */
  once(event: 'finish' | 'close' | 'drain', listener: () => void): this {
    const stream = this.#stream;
    if (event === 'close') stream.once('close', listener);
    else if (event === 'finish') {
      stream.once('finish', () => {
        if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) listener();
      });
    } else this.#onceDrained = listener;
    return this;
  }

  on(event: 'drain', listener: () => void): this {
    this.#stream.on(event, listener);
    return this;
  }

  off(event: 'drain', listener: () => void): this {
    this.#stream.off(event, listener);
    return this;
  }

  /** Of those that wait `once`. */
  listenerCount(_event: 'drain'): number {
    return this.#onceDrained === undefined ? 0 : 1;
  }

  #sendHead(isAll: boolean): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    try {
      this.#stream.respond(head, isAll ? NO_BODY : undefined);
    } catch {
      // Headers or a status that HTTP/2 cannot carry.
      this.destroy();
    }
  }

  #add(bytes: Buffer): void {
    if (this.#restBytes === 0 && bytes.length <= PIECE_BYTES && !this.#isFull) {
      this.#writePiece(bytes);
      return;
    }
    if (this.#restBytes > 0) this.#rest.push(bytes);
    else {
      this.#rest = [bytes];
      this.#restIndex = 0;
    }
    this.#restBytes += bytes.length;
    this.#writeRest();
  }

  #writeRest(): void {
    while (this.#restBytes > 0 && !this.#isFull && !this.closed) {
      const bytes = this.#rest[this.#restIndex] as Buffer;
      const piece = bytes.subarray(0, PIECE_BYTES);
      if (piece.length < bytes.length) this.#rest[this.#restIndex] = bytes.subarray(PIECE_BYTES);
      else this.#restIndex += 1;
      this.#restBytes -= piece.length;
      this.#writePiece(piece);
    }
    if (this.#restBytes === 0) this.#rest = NOTHING;
  }

  #writePiece(piece: Buffer): void {
    const stream = this.#stream;
    this.#writtenBytes += piece.length;
    if (this.#restBytes === 0 && this.#isEnding) stream.end(piece);
    else if (!stream.write(piece)) {
      this.#isFull = true;
      stream.once('drain', () => this.#onDrain());
    }
  }

  #onDrain(): void {
    this.#isFull = false;
    this.#writeRest();
    if (this.#isFull) return;
    const onceDrained = this.#onceDrained;
    this.#onceDrained = undefined;
    onceDrained?.();
  }
}

/**
 * Parses the responses of a connection one after the other (RFC 9112), and rejects what is unclear.
 *
 * The gateway has its own parser because this is the hot path: it reads bytes in the buffer of the socket, and copies only what
 * is kept. llhttp.test.ts compares it with Node's parser.
 */
import { ChunkedBody } from './chunked-body.ts';
import { badResponse } from './errors.ts';
import { announcesBody, type Framing, framingOf, isPersistent } from './framing.ts';
import { type HeaderNames, parseResponseHead, type ResponseHead } from './response-head.ts';

export interface ResponseReceiver {
  onHead(head: ResponseHead): void;
  /** Receives part of the body, which is valid during the call only. */
  onBody(bytes: Buffer): void;
  onComplete(): void;
}

/** The default of Node (`--max-http-header-size`). */
const MAX_HEAD_BYTES = 16_384;
const HEAD_END = Buffer.from('\r\n\r\n');
const SWITCHING_PROTOCOLS = 101;
const FIRST_FINAL_STATUS = 200;

type State = 'idle' | 'head' | 'body';

export class ResponseParser {
  readonly #receiver: ResponseReceiver;
  readonly #names: HeaderNames;
  #state: State = 'idle';
  #method = '';
  /** The beginning of an incomplete head. */
  #begun: Buffer | undefined;
  #framing: Framing | undefined;
  #leftBytes = 0;
  #chunked: ChunkedBody | undefined;

  constructor(receiver: ResponseReceiver, names: HeaderNames) {
    this.#receiver = receiver;
    this.#names = names;
  }

  /** Expects the response to a request with this method. */
  expect(method: string): void {
    this.#state = 'head';
    this.#method = method;
  }

  /** Returns the bytes that follow the response, or all of them if no response is expected. Errors: `BAD_RESPONSE`. */
  execute(bytes: Buffer): Buffer {
    let rest = bytes;
    while (rest.length > 0 && this.#state !== 'idle') {
      rest = this.#state === 'head' ? this.#readHead(rest) : this.#readBody(rest);
    }
    return rest;
  }

  /** Ends the connection. Returns `false` if the response is incomplete. */
  end(): boolean {
    if (this.#state !== 'body' || this.#framing?.kind !== 'untilClose') return false;
    this.#complete();
    return true;
  }

  #readHead(bytes: Buffer): Buffer {
    const begun = this.#begun;
    const all = begun === undefined ? bytes : Buffer.concat([begun, bytes]);
    const end = all.indexOf(HEAD_END, begun === undefined ? 0 : Math.max(0, begun.length - HEAD_END.length));
    if (end > MAX_HEAD_BYTES || (end === -1 && all.length > MAX_HEAD_BYTES)) throw badResponse('the head is too long');
    if (end === -1) {
      if (!canBeginHead(all)) throw badResponse(isTls(all) ? 'it is TLS' : 'it does not start with HTTP/1');
      this.#begun = begun === undefined ? Buffer.from(all) : all;
      return NOTHING;
    }
    this.#begun = undefined;
    const head = parseResponseHead(all.toString('latin1', 0, end), this.#names);
    const rest = all.length === end + HEAD_END.length ? NOTHING : all.subarray(end + HEAD_END.length);
    if (head.status === SWITCHING_PROTOCOLS) throw badResponse('unexpected change of protocol');
    // Skips informational responses (100 Continue, 103 Early Hints).
    if (head.status < FIRST_FINAL_STATUS) {
      if (announcesBody(head.headers)) throw badResponse('an informational response with a body');
      // Rejects an invalid length.
      framingOf(head, this.#method);
      if (!isPersistent(head)) throw badResponse('an informational response that ends the connection');
      return rest;
    }
    this.#begin(head);
    return rest;
  }

  #begin(head: ResponseHead): void {
    const framing = framingOf(head, this.#method);
    this.#framing = framing;
    this.#state = 'body';
    this.#receiver.onHead(head);
    if (framing.kind === 'length') {
      this.#leftBytes = framing.bytes;
      if (framing.bytes === 0) this.#complete();
    } else if (framing.kind === 'chunked') {
      this.#chunked = new ChunkedBody((part) => this.#receiver.onBody(part));
    }
  }

  #readBody(bytes: Buffer): Buffer {
    if (this.#chunked !== undefined) {
      const rest = this.#chunked.execute(bytes);
      if (this.#chunked.isComplete) this.#complete();
      return rest;
    }
    if (this.#framing?.kind === 'untilClose' || bytes.length < this.#leftBytes) {
      this.#leftBytes -= bytes.length;
      this.#receiver.onBody(bytes);
      return NOTHING;
    }
    const last = this.#leftBytes;
    this.#receiver.onBody(bytes.length === last ? bytes : bytes.subarray(0, last));
    this.#complete();
    return bytes.length === last ? NOTHING : bytes.subarray(last);
  }

  #complete(): void {
    this.#state = 'idle';
    this.#framing = undefined;
    this.#chunked = undefined;
    this.#receiver.onComplete();
  }
}

const NOTHING = Buffer.alloc(0);
const BEGINNING = 'HTTP/1.';
const TLS_ALERT = 21;
const TLS_MAJOR_VERSION = 3;

/** Whether the bytes are an alert, as from a TLS server that got a request without TLS (RFC 8446 §5.1 and §6). */
function isTls(bytes: Buffer): boolean {
  return bytes[0] === TLS_ALERT && bytes[1] === TLS_MAJOR_VERSION;
}

/** Whether waiting makes sense: a banner of another protocol never contains the end of a head. */
function canBeginHead(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return (
    (text.length < BEGINNING.length ? BEGINNING.startsWith(text) : text.startsWith(BEGINNING)) &&
    !/(?<!\r)\n/.test(text)
  );
}

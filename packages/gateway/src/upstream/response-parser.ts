/**
 * Reads one answer after the other from the bytes of a connection: HTTP/1.1 (RFC 9112), and what is unclear is an error.
 *
 * The gateway's own, because it is the hot path: bytes are looked at where the socket has read them, and only what is kept
 * is copied.
 */
import { ChunkedBody } from './chunked-body.ts';
import { badResponse } from './errors.ts';
import { announcesBody, type Framing, framingOf, isPersistent } from './framing.ts';
import { type HeaderNames, parseResponseHead, type ResponseHead } from './response-head.ts';

export interface ResponseReceiver {
  onHead(head: ResponseHead): void;
  /** A part of the body, there for the time of the call only. */
  onBody(bytes: Buffer): void;
  onComplete(): void;
}

/** As node's own (`--max-http-header-size`). */
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
  /** The beginning of a head that is not complete. */
  #begun: Buffer | undefined;
  #framing: Framing | undefined;
  #leftBytes = 0;
  #chunked: ChunkedBody | undefined;

  constructor(receiver: ResponseReceiver, names: HeaderNames) {
    this.#receiver = receiver;
    this.#names = names;
  }

  /** An answer to a request with this method comes next. */
  expect(method: string): void {
    this.#state = 'head';
    this.#method = method;
  }

  /** What is left once the answer is complete, or when none is expected. Errors: `BAD_RESPONSE`. */
  execute(bytes: Buffer): Buffer {
    let rest = bytes;
    while (rest.length > 0 && this.#state !== 'idle') {
      rest = this.#state === 'head' ? this.#readHead(rest) : this.#readBody(rest);
    }
    return rest;
  }

  /** No more bytes come. `false`: that does not end the answer, something is missing. */
  end(): boolean {
    if (this.#state !== 'body' || this.#framing?.kind !== 'untilClose') return false;
    this.#complete();
    return true;
  }

  #readHead(bytes: Buffer): Buffer {
    const begun = this.#begun;
    const all = begun === undefined ? bytes : Buffer.concat([begun, bytes]);
    const end = all.indexOf(HEAD_END, begun === undefined ? 0 : Math.max(0, begun.length - HEAD_END.length));
    if (end > MAX_HEAD_BYTES || (end === -1 && all.length > MAX_HEAD_BYTES)) throw badResponse('its head is too long');
    if (end === -1) {
      if (!canBeginHead(all)) throw badResponse('it does not begin with HTTP/1');
      this.#begun = begun === undefined ? Buffer.from(all) : all;
      return NOTHING;
    }
    this.#begun = undefined;
    const head = parseResponseHead(all.toString('latin1', 0, end), this.#names);
    const rest = all.length === end + HEAD_END.length ? NOTHING : all.subarray(end + HEAD_END.length);
    if (head.status === SWITCHING_PROTOCOLS) throw badResponse('it changes the protocol');
    // Informational answers (100 Continue, 103 Early Hints) are not the answer.
    if (head.status < FIRST_FINAL_STATUS) {
      if (announcesBody(head.headers)) throw badResponse('it announces a body before its answer');
      // Refuses a length that is not a number.
      framingOf(head, this.#method);
      if (!isPersistent(head)) throw badResponse('it ends the connection before its answer');
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

/** Whether it is worth waiting for more: a banner of another protocol has no end that a head has. */
function canBeginHead(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return (
    (text.length < BEGINNING.length ? BEGINNING.startsWith(text) : text.startsWith(BEGINNING)) &&
    !/(?<!\r)\n/.test(text)
  );
}

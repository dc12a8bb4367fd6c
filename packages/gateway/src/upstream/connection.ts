/** One HTTP/1.1 connection to a target, and the request in flight on it. */
import type { Socket } from 'node:net';
import type { Indexed } from '@causeway/http/indexed-list.ts';
import { UpstreamError } from './errors.ts';
import { isPersistent, keepAliveHintMs } from './framing.ts';
import type { HeaderNames, ResponseHead } from './response-head.ts';
import { ResponseParser, type ResponseReceiver } from './response-parser.ts';
import type { UploadBody, UpstreamControl, UpstreamHandler } from './transport.ts';
import { endedEarly, Upload } from './upload.ts';

/** A request in its wire format. */
export interface Message {
  readonly method: string;
  readonly headText: string;
  readonly body: Buffer | UploadBody | undefined;
}

export interface ConnectionEvents {
  /** The connection is free for another request. */
  onIdle(connection: Connection): void;
  onClosed(connection: Connection): void;
  /** A handler threw after the outcome of its request was reported. */
  onFault(error: unknown): void;
}

export interface ConnectionOptions {
  /** Shared by the connections of a pool. */
  readonly names: HeaderNames;
  readonly events: ConnectionEvents;
  /** Over TLS, and whether the gateway shows a certificate there. */
  readonly tls: { readonly hasCertificate: boolean } | undefined;
}

/** For larger bodies, copying the body into the text of the head costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;

export class Connection implements ResponseReceiver, UpstreamControl, Indexed {
  /** When the pool closes it if it stays idle. */
  idleUntilMs = 0;
  /** When it carries no further request. */
  endsAtMs = Number.POSITIVE_INFINITY;
  /** Of the target; known when the connection is open. */
  address: string | undefined;
  /** It could not be opened, or broke under a request. */
  hasFailed = false;
  /** Its place among the idle connections. */
  listIndex = -1;
  /** How long the target keeps an idle connection, from its last Keep-Alive header. */
  hintMs: number | undefined;
  isReused = false;
  hasResponseBegun = false;
  readonly #events: ConnectionEvents;
  readonly #tls: ConnectionOptions['tls'];
  readonly #parser: ResponseParser;
  #socket: Socket | undefined;
  #handler: UpstreamHandler | undefined;
  /** The message that waits for the connection to open. */
  #message: Message | undefined;
  #upload: Upload | undefined;
  #isConnected = false;
  #isPersistent = true;
  #isHead = false;
  #isComplete = false;
  #isPaused = false;
  #isClosed = false;

  constructor({ names, events, tls }: ConnectionOptions) {
    this.#events = events;
    this.#tls = tls;
    this.#parser = new ResponseParser(this, names);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes over a socket that is connecting. */
  attach(socket: Socket): void {
    this.#socket = socket;
    // Immediately: until the pool learns of the end, it would send requests over this socket.
    socket.on('error', (error) => this.#fail(this.#explain(error)));
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#fail(this.#explain(closedByTarget())));
  }

  /** Sends a request now, or as soon as the connection is open. */
  send(message: Message, handler: UpstreamHandler): void {
    this.#handler = handler;
    if (this.#isConnected) this.#start(message, handler);
    else this.#message = message;
  }

  onConnected(address: string | undefined): void {
    this.#isConnected = true;
    this.address = address;
    const message = this.#message;
    const handler = this.#handler;
    this.#message = undefined;
    if (message !== undefined && handler !== undefined) this.#start(message, handler);
  }

  /** Receives what the socket has read; the bytes are valid during the call only. */
  onBytes(bytes: Buffer): void {
    if (this.#handler === undefined) {
      // No request is in flight: what follows could be taken for the response to the next one.
      this.destroy();
      return;
    }
    this.hasResponseBegun = true;
    let rest: Buffer;
    try {
      rest = this.#parser.execute(bytes);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (this.#isComplete) this.#finish(rest.length === 0);
  }

  onHead(head: ResponseHead): void {
    this.#isPersistent = isPersistent(head);
    if (head.headers['keep-alive'] !== undefined) this.hintMs = keepAliveHintMs(head.headers);
    try {
      this.#handler?.onResponseStart(head.status, head.headers);
    } catch (error) {
      this.#failByFault(error);
    }
  }

  onBody(bytes: Buffer): void {
    if (this.#handler === undefined) return;
    try {
      if (this.#handler.onResponseData(Buffer.from(bytes)) || this.#isPaused) return;
    } catch (error) {
      this.#failByFault(error);
      return;
    }
    this.#isPaused = true;
    this.#socket?.pause();
  }

  onComplete(): void {
    this.#isComplete = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  abort(): void {
    this.#handler = undefined;
    this.destroy();
  }

  /** Closes the connection; with `error`, its request fails. */
  destroy(error?: Error): void {
    if (error !== undefined) this.#fail(error);
    this.#close();
  }

  #start(message: Message, handler: UpstreamHandler): void {
    this.hasResponseBegun = false;
    try {
      if (!handler.onRequestStart(this)) {
        this.#handler = undefined;
        this.#events.onIdle(this);
        return;
      }
    } catch (error) {
      this.#failByFault(error);
      return;
    }
    // The handler may have aborted the request.
    if (this.#handler === undefined) return;
    const socket = this.#socket as Socket;
    const { method, headText, body } = message;
    this.#isComplete = false;
    this.#isHead = method === 'HEAD';
    this.#parser.expect(method);
    if (body === undefined) {
      socket.write(headText, 'latin1');
    } else if (!Buffer.isBuffer(body)) {
      if (body.stream.destroyed) {
        this.#fail(endedEarly());
        return;
      }
      socket.write(headText, 'latin1');
      this.#upload = new Upload(body, socket, {
        onProgress: () => this.#onUploadProgress(handler),
        onBroken: (error) => this.#fail(error),
      });
    } else if (body.length <= ONE_WRITE_BYTES) {
      // As latin1 text, a short body leaves in one write with its head; as a buffer it would take two.
      socket.write(headText + body.toString('latin1'), 'latin1');
    } else {
      socket.cork();
      socket.write(headText, 'latin1');
      socket.write(body);
      socket.uncork();
    }
  }

  #onUploadProgress(handler: UpstreamHandler): void {
    try {
      handler.onUploadProgress?.();
    } catch (error) {
      this.#failByFault(error);
    }
  }

  /** The response is complete. */
  #finish(isRestEmpty: boolean): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    const isUploaded = this.#upload === undefined || this.#upload.isComplete;
    // If the target sends a body after a response to HEAD (against RFC 9110 §9.3.2), the next request would get it.
    const isClear = isRestEmpty && !this.#isHead;
    const isReusable = isClear && isUploaded && this.#isPersistent && this.#socket?.writable === true;
    this.#endUpload();
    this.resume();
    this.isReused = true;
    if (!isReusable) this.#close();
    else if (this.#socket?.writableLength === 0) this.#events.onIdle(this);
    // Over TLS, bytes count as sent one turn of the event loop after they left.
    else setImmediate(() => this.#rest());
    try {
      handler.onResponseEnd();
    } catch (error) {
      this.#events.onFault(error);
    }
  }

  /**
   * Reuses the connection only if the body has left: a target that responds early would read the next request behind the rest
   * of this one, or never.
   */
  #rest(): void {
    if (this.#isClosed) return;
    if (this.#socket?.writable === true && this.#socket.writableLength === 0) this.#events.onIdle(this);
    else this.#close();
  }

  #onEnd(): void {
    // An end during the handshake is not a response: nothing was sent.
    const hasSent = this.#handler !== undefined && this.#message === undefined;
    // Over TLS an end proves nothing: anyone on the path can end the TCP connection, and Node reports this `end` exactly like the
    // target's close_notify (RFC 8446 §6.1).
    if (hasSent && this.#tls === undefined && this.#parser.end()) this.#finish(false);
    else this.#fail(this.#explain(closedByTarget()));
  }

  /** A new connection that ends before a response may have ended for a reason that the target did not state. */
  #explain(error: NodeJS.ErrnoException): Error {
    const isEnd = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (!isEnd || this.isReused || this.hasResponseBegun) return error;
    if (!this.#isConnected) return this.#tls === undefined ? error : closedInHandshake(error);
    // A server on Node closes the connection in both cases, without an alert or a response.
    if (this.#tls === undefined) return closedUnanswered('as by a target that expects https', error);
    return this.#tls.hasCertificate
      ? closedUnanswered("as by a target that does not accept the gateway's certificate", error)
      : error;
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.hasFailed ||= handler !== undefined || !this.#isConnected;
    this.#close();
    try {
      handler?.onResponseError(error);
    } catch (fault) {
      this.#events.onFault(fault);
    }
  }

  #failByFault(cause: unknown): void {
    this.#fail(new UpstreamError('FAULT', 'a bug in the gateway', { cause }));
  }

  #endUpload(): void {
    this.#upload?.end();
    this.#upload = undefined;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#message = undefined;
    this.#endUpload();
    this.#socket?.destroy();
    this.#events.onClosed(this);
  }
}

function closedByTarget(): UpstreamError {
  return new UpstreamError('ECONNRESET', 'connection closed');
}

function closedInHandshake(cause: Error): UpstreamError {
  return new UpstreamError('HANDSHAKE_CLOSED', 'connection closed during the TLS handshake', { cause });
}

function closedUnanswered(comparison: string, cause: Error): UpstreamError {
  return new UpstreamError('ECONNRESET', `connection closed before a response, ${comparison}`, { cause });
}

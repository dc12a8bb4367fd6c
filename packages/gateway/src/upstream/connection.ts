/** One connection to a target, and the one request that is under way on it. */
import type { Socket } from 'node:net';
import type { Indexed } from '@causeway/http/indexed-list.ts';
import { UpstreamError } from './errors.ts';
import { isPersistent, keepAliveHintMs } from './framing.ts';
import type { HeaderNames, ResponseHead } from './response-head.ts';
import { ResponseParser, type ResponseReceiver } from './response-parser.ts';
import type { UploadBody, UpstreamControl, UpstreamHandler } from './transport.ts';
import { endedEarly, Upload } from './upload.ts';

/** A request as it goes over the wire. */
export interface Message {
  readonly method: string;
  readonly headText: string;
  readonly body: Buffer | UploadBody | undefined;
}

export interface ConnectionEvents {
  /** Another request may follow. */
  onIdle(connection: Connection): void;
  onClosed(connection: Connection): void;
  /** A handler threw when its request had ended already. */
  onFault(error: unknown): void;
}

export interface ConnectionOptions {
  /** Shared by the connections of a pool. */
  readonly names: HeaderNames;
  readonly events: ConnectionEvents;
  /**
   * The end of the connection proves that the answer is whole. Over TLS it does not: anyone on the path can end the TCP
   * connection, and Node reports this `end` like the target's own close_notify (RFC 8446 §6.1).
   */
  readonly endsProveAnswers: boolean;
}

/** Above this, copying a body into the head's text costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;

export class Connection implements ResponseReceiver, UpstreamControl, Indexed {
  /** When the pool gives it up, if nobody uses it. */
  idleUntilMs = 0;
  /** Its place among the idle ones. */
  listIndex = -1;
  /** For how long the target keeps it idle, as far as it has said. */
  hintMs: number | undefined;
  isReused = false;
  hasAnswerBegun = false;
  readonly #events: ConnectionEvents;
  readonly #endsProveAnswers: boolean;
  readonly #parser: ResponseParser;
  #socket: Socket | undefined;
  #handler: UpstreamHandler | undefined;
  /** Waits for the connection. */
  #message: Message | undefined;
  #upload: Upload | undefined;
  #isConnected = false;
  #isPersistent = true;
  #isHead = false;
  #isComplete = false;
  #isPaused = false;
  #isClosed = false;

  constructor({ names, events, endsProveAnswers }: ConnectionOptions) {
    this.#events = events;
    this.#endsProveAnswers = endsProveAnswers;
    this.#parser = new ResponseParser(this, names);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes over a socket that is connecting. */
  attach(socket: Socket): void {
    this.#socket = socket;
    // At once: until the socket tells its end, requests would be given to it.
    socket.on('error', (error) => this.#fail(error));
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#fail(closedByTarget()));
  }

  /** Sends a request: now, or as soon as there is a connection. */
  send(message: Message, handler: UpstreamHandler): void {
    this.#handler = handler;
    if (this.#isConnected) this.#start(message, handler);
    else this.#message = message;
  }

  onConnected(): void {
    this.#isConnected = true;
    const message = this.#message;
    const handler = this.#handler;
    this.#message = undefined;
    if (message !== undefined && handler !== undefined) this.#start(message, handler);
  }

  /** What the socket has read; not there any more afterwards. */
  onBytes(bytes: Buffer): void {
    if (this.#handler === undefined) {
      // Nobody asked: what follows could be taken for the answer to another request.
      this.destroy();
      return;
    }
    this.hasAnswerBegun = true;
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

  /** A request that is under way fails with `error`. */
  destroy(error?: Error): void {
    if (error !== undefined) this.#fail(error);
    this.#close();
  }

  #start(message: Message, handler: UpstreamHandler): void {
    this.hasAnswerBegun = false;
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
    // The handler may have aborted.
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
      // As text of one byte a character, a short body leaves in one write with its head; as bytes it would be two.
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

  /** The answer is complete. */
  #finish(isRestEmpty: boolean): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    const isUploaded = this.#upload === undefined || this.#upload.isComplete;
    // A target that sends a body all the same (RFC 9110 §9.3.2) would answer the next request with it.
    const isClear = isRestEmpty && !this.#isHead;
    const isReusable = isClear && isUploaded && this.#isPersistent && this.#socket?.writable === true;
    this.#endUpload();
    this.resume();
    this.isReused = true;
    if (!isReusable) this.#close();
    else if (this.#socket?.writableLength === 0) this.#events.onIdle(this);
    // Over TLS, what has left counts as sent one turn later.
    else setImmediate(() => this.#rest());
    try {
      handler.onResponseEnd();
    } catch (error) {
      this.#events.onFault(error);
    }
  }

  /** A target that answers before it has read the body would read the next request after the rest of it, or never. */
  #rest(): void {
    if (this.#isClosed) return;
    if (this.#socket?.writable === true && this.#socket.writableLength === 0) this.#events.onIdle(this);
    else this.#close();
  }

  #onEnd(): void {
    // A handshake that ends like this is no answer: nothing was sent.
    const hasSent = this.#handler !== undefined && this.#message === undefined;
    if (hasSent && this.#endsProveAnswers && this.#parser.end()) this.#finish(false);
    else this.#fail(closedByTarget());
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.#close();
    try {
      handler?.onResponseError(error);
    } catch (fault) {
      this.#events.onFault(fault);
    }
  }

  #failByFault(cause: unknown): void {
    this.#fail(new UpstreamError('FAULT', 'the gateway failed at this request', { cause }));
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
  return new UpstreamError('ECONNRESET', 'the target closed the connection');
}

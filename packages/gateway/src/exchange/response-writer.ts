/** Writes the response to one request to its client: whole, as a stream, or broken off; never two of these. */
import type { RequestMessage, ResponseMessage } from '@causeway/http/message.ts';
import type { PendingWrite, TurnBatch } from './turn-batch.ts';

/** Above this, copying a body into the head's text costs more than a second write. */
const ONE_WRITE_BYTES = 16_384;

export interface ResponseWriterOptions {
  readonly request: { readonly message: RequestMessage };
  readonly response: ResponseMessage;
  readonly context: {
    /** Writes whole responses at the end of the turn of the event loop in which they are ready. */
    readonly writes: TurnBatch;
  };
  readonly owner: {
    /** The last byte was written, or the connection was closed. */
    onResponseEnded(): void;
  };
}

export class ResponseWriter implements PendingWrite {
  readonly #options: ResponseWriterOptions;
  #state: 'none' | 'streaming' | 'ended' = 'none';
  /** 0: none was sent. */
  status = 0;
  /** Bytes of the body that were written to the connection. */
  sentBytes = 0;
  #headers: string[] = [];
  #body: Buffer | undefined;

  constructor(options: ResponseWriterOptions) {
    this.#options = options;
  }

  /** The client has a part of the response. */
  get isStreaming(): boolean {
    return this.#state === 'streaming';
  }

  /** A complete response. `declaredLength` is for HEAD: the length of the body that is left out (RFC 9110 §9.3.2). */
  send(status: number, headers: string[], body: Buffer, declaredLength?: string): void {
    if (this.#state !== 'none') {
      this.breakOff();
      return;
    }
    this.#state = 'ended';
    const { request, context } = this.#options;
    const isHead = request.message.method === 'HEAD';
    if (isHead && declaredLength !== undefined) headers.push('content-length', declaredLength);
    // A 204 has no length (RFC 9110 §8.6).
    else if (!isHead && status !== 204 && status !== 304) headers.push('content-length', String(body.length));
    this.status = status;
    this.#headers = headers;
    this.#body = isHead ? undefined : body;
    this.sentBytes = isHead ? 0 : body.length;
    context.writes.add(this);
  }

  startStream(status: number, headers: string[], chunks: readonly Buffer[]): void {
    this.#state = 'streaming';
    const { response } = this.#options;
    this.status = status;
    response.writeHead(status, headers);
    for (const chunk of chunks) {
      this.sentBytes += chunk.length;
      response.write(chunk);
    }
  }

  /** Writes a chunk of a stream; `false`: the next one has to wait for `onDrain`. */
  writeChunk(chunk: Buffer, onDrain: () => void): boolean {
    const { response } = this.#options;
    if (this.#state !== 'streaming') return true;
    this.sentBytes += chunk.length;
    if (response.write(chunk)) return true;
    // One listener, however many chunks are written meanwhile.
    if (response.listenerCount('drain') === 0) response.once('drain', onDrain);
    return false;
  }

  endStream(): void {
    this.#state = 'ended';
    this.#options.response.end();
    this.#options.owner.onResponseEnded();
  }

  /** Closes the connection, so that the client notices that the response is incomplete. */
  breakOff(): void {
    this.#state = 'ended';
    this.#options.response.destroy();
    this.#options.owner.onResponseEnded();
  }

  /** Called by the batch. */
  flush(): void {
    const { request, response, owner } = this.#options;
    const body = this.#body;
    try {
      response.writeHead(this.status, this.#headers);
      // As text of one byte a character, a short body leaves in one write with its head; as bytes it would be two.
      if (body !== undefined && body.length <= ONE_WRITE_BYTES && response.outlet === undefined)
        response.end(body.toString('latin1'), 'latin1');
      else response.end(body);
      // The unread rest of a body must not keep the connection from closing.
      if (!request.message.complete) request.message.resume();
    } catch {
      // Headers that HTTP/1.1 cannot carry: the other responses of the batch follow.
      response.destroy();
    }
    owner.onResponseEnded();
  }
}

/** Sends a body that is still arriving, as fast as the target reads it. */
import type { Socket } from 'node:net';
import { UpstreamError } from './errors.ts';
import type { UploadBody } from './transport.ts';

export interface UploadEvents {
  /** Part of the body was written to the connection. */
  onProgress(): void;
  /** The body ended early, or its length is not the announced one. */
  onBroken(error: Error): void;
}

const HEXADECIMAL = 16;

export class Upload {
  readonly #body: UploadBody;
  readonly #socket: Socket;
  readonly #events: UploadEvents;
  readonly #resume = (): void => {
    this.#body.stream.resume();
  };
  #sentBytes = 0;
  #state: 'sending' | 'complete' | 'ended' = 'sending';

  constructor(body: UploadBody, socket: Socket, events: UploadEvents) {
    this.#body = body;
    this.#socket = socket;
    this.#events = events;
    const { stream } = body;
    socket.on('drain', this.#resume);
    stream.on('error', (error: Error) => this.#break(error));
    stream.on('close', () => this.#break(endedEarly()));
    stream.on('end', () => this.#complete());
    stream.on('data', (chunk: Buffer) => this.#send(chunk));
  }

  get isComplete(): boolean {
    return this.#state === 'complete';
  }

  /** Stops sending and destroys the body. */
  end(): void {
    this.#socket.off('drain', this.#resume);
    if (this.#state !== 'sending') return;
    this.#state = 'ended';
    this.#body.stream.destroy();
  }

  #send(chunk: Buffer): void {
    if (this.#state !== 'sending') return;
    this.#sentBytes += chunk.length;
    const { lengthBytes, stream } = this.#body;
    if (lengthBytes !== undefined && this.#sentBytes > lengthBytes) {
      this.#break(wrongLength());
      return;
    }
    const hasRoom = lengthBytes === undefined ? this.#writeChunk(chunk) : this.#socket.write(chunk);
    if (!hasRoom) stream.pause();
    this.#events.onProgress();
  }

  #writeChunk(chunk: Buffer): boolean {
    // An empty chunk would end the body.
    if (chunk.length === 0) return true;
    const socket = this.#socket;
    socket.cork();
    socket.write(`${chunk.length.toString(HEXADECIMAL)}\r\n`, 'latin1');
    socket.write(chunk);
    const hasRoom = socket.write('\r\n', 'latin1');
    socket.uncork();
    return hasRoom;
  }

  #complete(): void {
    if (this.#state !== 'sending') return;
    const { lengthBytes } = this.#body;
    if (lengthBytes !== undefined && lengthBytes !== this.#sentBytes) {
      this.#break(wrongLength());
      return;
    }
    if (lengthBytes === undefined) this.#socket.write('0\r\n\r\n', 'latin1');
    this.#state = 'complete';
    this.#socket.off('drain', this.#resume);
  }

  #break(error: Error): void {
    if (this.#state !== 'sending') return;
    this.end();
    this.#events.onBroken(error);
  }
}

/** The source of the body failed, such as a client that left. */
export function endedEarly(): UpstreamError {
  return new UpstreamError('ECONNRESET', 'the request body ended early');
}

function wrongLength(): UpstreamError {
  return new UpstreamError('BAD_REQUEST', 'the length of the request body is not the announced one');
}

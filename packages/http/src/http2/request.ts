/** One request of an HTTP/2 connection: what exchanges read of Node's requests of HTTP/1.1, read from a stream. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { RequestMessage } from '../message.ts';

type DataListener = (chunk: Buffer) => void;

export class Http2Request implements RequestMessage {
  readonly stream: ServerHttp2Stream;
  readonly socket: Socket;
  /** With the pseudo-headers (RFC 9113 §8.3), whose names no header can have. */
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly method: string;
  readonly url: string;
  /** Of the body. */
  receivedBytes = 0;
  #onData: DataListener | undefined;
  readonly #onChunk = (chunk: Buffer): void => this.#pass(chunk);
  readonly #onReadable = (): void => {
    this.#takeArrived();
  };

  constructor(
    stream: ServerHttp2Stream,
    { socket, headers, rawHeaders }: { socket: Socket; headers: IncomingHttpHeaders; rawHeaders: readonly string[] },
  ) {
    this.stream = stream;
    this.socket = socket;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
    this.method = headers[':method'] as string;
    // CONNECT alone has no path, and is refused.
    this.url = (headers[':path'] as string | undefined) ?? '/';
  }

  get httpVersion(): string {
    return '2.0';
  }

  get httpVersionMajor(): number {
    return 2;
  }

  get httpVersionMinor(): number {
    return 0;
  }

  get isHeadOnly(): boolean {
    return this.stream.endAfterHeaders;
  }

  get complete(): boolean {
    const { stream, headers, receivedBytes } = this;
    if (stream.endAfterHeaders || stream.readableEnded) return true;
    const declared = headers['content-length'];
    return declared !== undefined && receivedBytes >= Number(declared);
  }

  /** Bytes of the body that arrived and were not read. */
  get readableLength(): number {
    return this.stream.readableLength;
  }

  on(event: 'data' | 'end', listener: DataListener | (() => void)): this {
    if (event === 'end') this.stream.on('end', listener as () => void);
    else this.#read(listener as DataListener);
    return this;
  }

  off(event: 'data' | 'end', listener: DataListener | (() => void)): this {
    if (event === 'end') this.stream.off('end', listener);
    else if (listener === this.#onData) {
      this.#onData = undefined;
      this.stream.off('data', this.#onChunk).off('readable', this.#onReadable);
    }
    return this;
  }

  pause(): this {
    this.stream.pause();
    return this;
  }

  resume(): this {
    this.stream.resume();
    return this;
  }

  async *iterator(options: { destroyOnReturn: boolean }): AsyncGenerator<Buffer> {
    for await (const chunk of this.stream.iterator(options) as AsyncIterable<Buffer>) {
      this.receivedBytes += chunk.length;
      yield chunk;
    }
  }

  #read(onData: DataListener): void {
    this.#onData = onData;
    if (this.headers['content-length'] === undefined) this.stream.on('data', this.#onChunk);
    // Usually all of a short body has arrived together with its head.
    else if (!this.#takeArrived()) this.stream.on('readable', this.#onReadable);
  }

  /**
   * Takes the bytes that have arrived of a body with a declared length; returns whether it is complete. Node destroys a stream that
   * was read to its end before its response is written, and makes an error for each: bytes that are asked for by their number
   * are not its end.
   */
  #takeArrived(): boolean {
    const { stream, headers } = this;
    const length = Math.min(stream.readableLength, Number(headers['content-length']) - this.receivedBytes);
    if (length > 0) this.#pass(stream.read(length) as Buffer);
    return this.complete;
  }

  #pass(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.#onData?.(chunk);
  }
}

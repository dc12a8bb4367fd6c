/** What servers and exchanges need of a request and its response, over HTTP/1.1 or HTTP/2: Node's own of HTTP/1.1 fit as they are. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

/** The head of a request. */
export interface RequestHead {
  method?: string | undefined;
  /** A path with its query; what a client sent, until the checks have passed. */
  url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they arrived. */
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** Of the connection, which requests of HTTP/2 share. */
  readonly socket: Socket;
}

/** A request with its body. */
export interface RequestMessage extends RequestHead {
  /** Whether all of it has arrived. */
  readonly complete: boolean;
  /** HTTP/2 alone: whether the head is all of it, which headers need not say. */
  readonly isHeadOnly?: boolean;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  iterator(options: { destroyOnReturn: boolean }): AsyncIterable<Buffer>;
}

/** Where the bytes of a response wait for their client: a socket, or one stream of an HTTP/2 connection. */
export interface Outlet {
  /** Bytes that wait. */
  readonly writableLength: number;
  on(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

/** Of HTTP/2: a response that is its own outlet, since other responses share its socket. */
export interface StreamOutlet extends Outlet {
  /** Of the written bytes, those that the system has taken. */
  readonly takenBytes: number;
  /** The client learns that the response is incomplete. */
  destroy(): unknown;
}

/** Learns that the client of one stream has reset it, while its connection lives on. */
export interface StreamOwner {
  onClientGone(): void;
}

/** The response to a request. */
export interface ResponseMessage {
  /** HTTP/2 alone. */
  readonly outlet?: StreamOutlet;
  /** HTTP/2 alone: who learns of the end of the stream. */
  owner?: StreamOwner | undefined;
  readonly req: RequestHead;
  /** Where its bytes wait, if it is not its own outlet; `null` before its turn and after its end. */
  readonly socket: Socket | null;
  /** Set to false, the connection ends after this response and those of other streams. */
  shouldKeepAlive: boolean;
  /** Whether the connection, or the stream, has ended. */
  readonly closed: boolean;
  readonly headersSent: boolean;
  writeContinue(): void;
  /** Names and values in turn. */
  writeHead(status: number, headers: string[]): unknown;
  write(chunk: Buffer): boolean;
  end(): unknown;
  end(body: Buffer | undefined): unknown;
  end(body: string, encoding: 'latin1'): unknown;
  destroy(): unknown;
  once(event: 'finish' | 'close' | 'drain', listener: () => void): unknown;
  listenerCount(event: 'drain'): number;
}

/** One HTTP/2 connection: its streams become requests, in turn with other connections, until it is drained. */
import type { IncomingHttpHeaders } from 'node:http';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from '../connection.ts';
import { IndexedList } from '../indexed-list.ts';
import type { Peer } from '../peer.ts';
import type { Arrival, Expectation } from '../turns.ts';
import { Overhead } from './overhead.ts';
import { Http2Request } from './request.ts';
import { Http2Response } from './response.ts';
import type { SessionOptions } from './session-options.ts';
import type { WatchedConnection } from './timeouts.ts';

export type Http2Arrival<P extends Peer = Peer> = Arrival<P, Http2Request, Http2Response>;

export interface Http2ConnectionOptions<P extends Peer> {
  session: SessionOptions;
  /** Gets each request when it is its turn. */
  serve: (arrival: Http2Arrival<P>) => void;
}

/** Requests of one connection that are served before other connections have their turn. */
const REQUESTS_PER_TURN = 32;

export class Http2Connection<P extends Peer = Peer> implements WatchedConnection {
  /** The place in the list of a server's connections. */
  listIndex = -1;
  readonly connection: Connection<P>;
  /** Those without a complete response, and those whose request is still arriving. */
  readonly streams = new IndexedList<Http2Response>();
  /** Whether the client's first settings have arrived, which follow the preface. */
  hasSettings = false;
  /** Streams so far, and as the last look found them. */
  streamCount = 0;
  seenStreamCount = 0;
  /** When it was last seen with a stream, or began. */
  idleSinceMs = performance.now();
  readonly overhead = new Overhead();
  readonly #options: Http2ConnectionOptions<P>;
  readonly #session: ServerHttp2Session;
  #waiting: Http2Arrival<P>[] = [];
  readonly #onTurn = (): void => this.#serveTurn();

  /** Takes a connection over, with the bytes that were read and put back. */
  constructor(connection: Connection<P>, options: Http2ConnectionOptions<P>) {
    this.connection = connection;
    this.#options = options;
    const session = performServerHandshake(connection.socket, options.session);
    this.#session = session;
    session.on('stream', (stream, headers, _flags, rawHeaders) => this.#onStream(stream, headers, rawHeaders));
    // The session ends, and its socket with it.
    session.on('error', ignore);
    session.once('remoteSettings', () => {
      this.hasSettings = true;
    });
    // A client that has ended its side can read no more than its window: it has left.
    connection.socket.once('end', () => session.destroy());
  }

  get socket(): Socket {
    return this.connection.socket;
  }

  get isClosed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  /**
   * Closes the connection with its last stream. GOAWAY has the number of the last stream that is served: the client may send later
   * ones elsewhere (RFC 9113 §6.8). Node has no way to announce the end before, and to serve what is on its way.
   */
  close(): void {
    if (!this.isClosed) this.#session.close();
  }

  /** Breaks the connection, with the reason for the client. */
  destroy(code: number): void {
    // Node takes a code in place of an error.
    this.#session.destroy(code as unknown as Error);
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
    stream.on('error', ignore);
    if (stream.destroyed) return;
    const { socket, peer } = this.connection;
    const request = new Http2Request(stream, { socket, headers, rawHeaders });
    const response = new Http2Response(request);
    this.streamCount += 1;
    this.streams.add(response);
    stream.on('close', () => {
      this.streams.remove(response);
      this.overhead.closed(response);
      response.owner?.onClientGone();
    });
    this.#wait({ request, response, peer, expectation: expectationOf(headers) });
  }

  /** The request is served when all that arrived with it has been read: mostly its body. */
  #wait(arrival: Http2Arrival<P>): void {
    if (this.#waiting.length === 0) setImmediate(this.#onTurn);
    this.#waiting.push(arrival);
  }

  #serveTurn(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.length > REQUESTS_PER_TURN ? waiting.splice(REQUESTS_PER_TURN) : [];
    if (this.#waiting.length > 0) setImmediate(this.#onTurn);
    for (const arrival of waiting) {
      // A client that resets its streams at once costs no attempt.
      if (!arrival.response.closed) this.#options.serve(arrival);
    }
  }
}

function expectationOf({ expect }: IncomingHttpHeaders): Expectation | undefined {
  if (expect === undefined) return undefined;
  return expect.toLowerCase() === '100-continue' ? 'continue' : 'unknown';
}

function ignore(): void {}

/** The turns of pipelined requests: one request of a connection is served at a time, in order (RFC 9112 §9.3.2). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Connection, hold, release } from './connection.ts';
import type { RequestMessage, ResponseMessage } from './message.ts';
import type { Peer } from './peer.ts';

/** The client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1), or expects something unknown. */
export type Expectation = 'continue' | 'unknown';

/** A request whose turn has come. */
export interface Arrival<
  P extends Peer = Peer,
  Request extends RequestMessage = IncomingMessage,
  Response extends ResponseMessage = ServerResponse,
> {
  readonly request: Request;
  readonly response: Response;
  readonly peer: P;
  readonly expectation: Expectation | undefined;
}

/** Requests that were parsed before their turn, over all connections: one read of a socket holds that many short ones. */
const MAX_WAITING = 20_000;

export class Turns<P extends Peer> {
  readonly #serve: (arrival: Arrival<P>) => void;
  #waitingCount = 0;

  /** `serve` gets each request when it is its turn. */
  constructor(serve: (arrival: Arrival<P>) => void) {
    this.#serve = serve;
  }

  /** Serves the request, or lets it wait for the response before it. */
  take(connection: Connection<P>, arrival: Arrival<P>): void {
    if (connection.isEnding) return;
    const before = connection.last;
    connection.last = arrival.response;
    // Node gives the connection to one response at a time.
    if (arrival.response.socket !== null) {
      this.#serve(arrival);
      return;
    }
    connection.active ??= before;
    this.#wait(connection, arrival);
  }

  /** Gives up the waiting requests of a connection that closed. */
  forget(connection: Connection<P>): void {
    this.#waitingCount -= connection.waitingCount;
    connection.waitingCount = 0;
  }

  /** The request waits for the response before it, and the bytes behind it are not read. */
  #wait(connection: Connection<P>, arrival: Arrival<P>): void {
    if (this.#waitingCount >= MAX_WAITING) {
      connection.isEnding = true;
      connection.socket.destroy();
      return;
    }
    this.#waitingCount += 1;
    connection.waitingCount += 1;
    hold(connection);
    arrival.response.once('socket', () =>
      // Other connections have their turn between two requests of this one.
      setImmediate(() => {
        if (connection.socket.destroyed) return;
        this.#waitingCount -= 1;
        connection.waitingCount -= 1;
        connection.active = arrival.response;
        if (connection.waitingCount === 0 && connection.refusal === undefined) release(connection);
        this.#serve(arrival);
      }),
    );
  }
}

/** Ends connections with a refusal: of bytes that are no request, and of requests that arrive too slowly. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Connection, connectionOf, hold } from './connection.ts';
import type { Cors } from './cors.ts';
import { closeLingering } from './lingering.ts';
import {
  type HeadLimits,
  methodNotImplemented,
  originIn,
  type ParseError,
  type Refusal,
  refusalOf,
  refusalText,
  TOO_SLOW,
} from './refusal.ts';

export interface RefuserOptions {
  /** Read at each refusal. */
  limits: HeadLimits;
  /** How long the next request may take to arrive when Node's own time for it ran out during a slow response. */
  bodyTimeoutMs: number;
  /** Read at each refusal: which pages of other origins may read it. */
  cors: () => Cors | undefined;
  /** A refusal was sent. */
  onRefused: (refusal: Refusal) => void;
}

export class Refuser {
  readonly #options: RefuserOptions;

  constructor(options: RefuserOptions) {
    this.#options = options;
  }

  /** For `clientError`: Node's parser or one of its time limits gave up. */
  onClientError(error: ParseError, socket: Duplex): void {
    const connection = connectionOf(socket);
    // A failed handshake, or a broken connection.
    if (connection === undefined || error.syscall !== undefined || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    if (connection.isEnding || connection.refusal !== undefined) return;
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.#onTimeout(connection);
    else this.refuse(connection, { ...refusalOf(error, this.#options.limits), origin: originIn(error) });
  }

  /** For `connect`: the API has no tunnels. */
  onConnect(socket: Duplex): void {
    const connection = connectionOf(socket);
    socket.on('error', () => {});
    if (connection === undefined) return;
    const { last } = connection;
    const refusal = methodNotImplemented('CONNECT');
    if (last === undefined || last.writableFinished) this.#end(connection, refusal);
    else last.once('finish', () => this.#end(connection, refusal));
  }

  /** Refuses the last bytes in order: after the responses before them, and never in place of a response that has begun. */
  refuse(connection: Connection, refusal: Refusal): void {
    const { last, socket } = connection;
    if (last === undefined || last.writableFinished) {
      // The rest of a body whose request has its response; the client may still have to read it.
      if (last !== undefined && !last.req.complete) endAfter(connection);
      else this.#end(connection, refusal);
      return;
    }
    if (last.req.complete) {
      // Node keeps reading, and would fail again at each piece.
      hold(connection);
      connection.refusal = refusal;
      last.once('finish', () => this.#end(connection, refusal));
    } else if (last.socket === null) {
      hold(connection);
      connection.refusal = refusal;
      last.removeAllListeners('socket').once('socket', () => this.#end(connection, refusal));
    } else if (last.writableEnded) endAfter(connection);
    else if (last.headersSent) socket.destroy();
    else this.#end(connection, refusal);
  }

  /** The head of a request, or all of it, did not arrive in time. */
  #onTimeout(connection: Connection): void {
    const { last } = connection;
    const isPending = last !== undefined && !last.writableFinished;
    // The next request may not even have been read while a slow response was in progress.
    if (isPending && last.req.complete) last.once('finish', () => this.#allowMore(connection, last));
    else if (isPending && last.socket === null) return;
    else this.refuse(connection, TOO_SLOW);
  }

  /** Gives the request behind `response` its time again. */
  #allowMore(connection: Connection, response: ServerResponse): void {
    const timer = setTimeout(() => {
      if (connection.last === response || connection.last === undefined) this.refuse(connection, TOO_SLOW);
    }, this.#options.bodyTimeoutMs).unref();
    connection.socket.once('close', () => clearTimeout(timer));
  }

  #end(connection: Connection, refusal: Refusal): void {
    const { socket, last } = connection;
    if (connection.isEnding || !socket.writable) return;
    connection.isEnding = true;
    if (connection.hold !== undefined) socket.off('resume', connection.hold);
    this.#options.onRefused(refusal);
    // A body that failed belongs to a head that was valid.
    const origin = last?.req.complete === false ? last.req.headers.origin : refusal.origin;
    const headers = this.#options.cors()?.headersFor({ url: '/', headers: { origin } }) ?? [];
    socket.write(refusalText(refusal, headers));
    closeLingering(socket);
  }
}

/** Ends a connection whose last response has been written. A reset would take it from a client that has not read it yet. */
function endAfter(connection: Connection): void {
  connection.isEnding = true;
  closeLingering(connection.socket);
}

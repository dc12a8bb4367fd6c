/** Connections of clients: requests in turn, answers in order, and an end that loses no answer (RFC 9112 §9). */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
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

/** What the client waits for before it sends its body (RFC 9110 §10.1.1). */
export type Expectation = 'continue' | 'unknown';

/** Serves one request. */
export type Serve = (request: IncomingMessage, response: ServerResponse, expectation: Expectation | undefined) => void;

export interface ConnectionsOptions {
  /** Read at each refusal. */
  limits: HeadLimits;
  /** How long a body may stand still while it is waited for; 408 after it. */
  bodyTimeoutMs: number;
  serve: Serve;
  /** Read at each refusal: which pages may read it. */
  cors: () => Cors | undefined;
  /** A request was refused before it reached `serve`. */
  onRefused: (refusal: Refusal) => void;
}

/** Requests that were parsed before their turn, over all connections: one read of the system holds that many short ones. */
const MAX_WAITING = 20_000;
/** How often bodies are looked at, at most. */
const MAX_SWEEP_MS = 1_000;
const MIN_SWEEP_MS = 25;
/** When a client that has ended its side is tried again, so that one that is gone is noticed. */
const PROBE_AFTER_MS = [100, 1_000] as const;
const PROBE = 'HTTP/1.1 100 Continue\r\n\r\n';

interface Connection {
  readonly socket: Socket;
  /** Its place in the list. */
  index: number;
  /** The answer to the last request that came, until some time after it was sent. */
  last: ServerResponse | undefined;
  /** The answer that is under way, while others wait. */
  active: ServerResponse | undefined;
  /** Requests that wait for their turn. */
  waitingCount: number;
  /** Keeps the connection paused. */
  hold: (() => void) | undefined;
  /** What follows the last request is refused after its answer. */
  refusal: Refusal | undefined;
  /** Nothing that comes is served any more. */
  isEnding: boolean;
  /** As the last sweep found it, of a body that is waited for. */
  bytesRead: number;
  progressAtMs: number;
}

const CONNECTION = Symbol('connection');
const IS_PROBED = Symbol('isProbed');

type KnownSocket = Socket & { [CONNECTION]: Connection };

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open: Connection[] = [];
  readonly #sweeper: NodeJS.Timeout;
  #waitingCount = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const sweepMs = Math.min(MAX_SWEEP_MS, Math.max(MIN_SWEEP_MS, options.bodyTimeoutMs / 4));
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs).unref();
  }

  /** Takes over the requests and errors of a server of `node:http` or `node:https`. */
  attach(server: Server, { isSecure }: { isSecure: boolean }): void {
    // A client that ends its side gets its answer. Node has no other name for it.
    (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => this.#meet(socket));
    server.on('request', (request, response) => this.#arrived(request, response, undefined));
    server.on('checkContinue', (request, response) => this.#arrived(request, response, 'continue'));
    server.on('checkExpectation', (request, response) => this.#arrived(request, response, 'unknown'));
    server.on('clientError', (error, socket) => this.#onClientError(error, socket));
    server.on('connect', (_request, socket) => this.#onConnect(socket));
  }

  /** Ends the watch over bodies; the connections are their server's. */
  close(): void {
    clearInterval(this.#sweeper);
  }

  #meet(socket: Socket): void {
    const connection: Connection = {
      socket,
      index: this.#open.length,
      last: undefined,
      active: undefined,
      waitingCount: 0,
      hold: undefined,
      refusal: undefined,
      isEnding: false,
      bytesRead: 0,
      progressAtMs: 0,
    };
    this.#open.push(connection);
    (socket as KnownSocket)[CONNECTION] = connection;
    // Node's own end after an answer that says `Connection: close`.
    socket.destroySoon = () => {
      connection.isEnding = true;
      closeLingering(socket);
    };
    socket.once('end', () => this.#onHalfClosed(connection));
    socket.once('close', () => this.#forget(connection));
  }

  #forget(connection: Connection): void {
    const last = this.#open.pop();
    if (last !== undefined && last !== connection) {
      this.#open[connection.index] = last;
      last.index = connection.index;
    }
    this.#waitingCount -= connection.waitingCount;
    connection.waitingCount = 0;
  }

  #arrived(request: IncomingMessage, response: ServerResponse, expectation: Expectation | undefined): void {
    const connection = (request.socket as KnownSocket)[CONNECTION];
    if (connection.isEnding) return;
    const before = connection.last;
    connection.last = response;
    // Node gives the connection to one answer at a time.
    if (response.socket !== null) {
      this.#options.serve(request, response, expectation);
      return;
    }
    connection.active ??= before;
    this.#wait(connection, { request, response, expectation });
  }

  /** The request waits for the answer before it, and what follows waits unread. */
  #wait(
    connection: Connection,
    {
      request,
      response,
      expectation,
    }: { request: IncomingMessage; response: ServerResponse; expectation: Expectation | undefined },
  ): void {
    if (this.#waitingCount >= MAX_WAITING) {
      connection.isEnding = true;
      connection.socket.destroy();
      return;
    }
    this.#waitingCount += 1;
    connection.waitingCount += 1;
    this.#hold(connection);
    response.once('socket', () =>
      // Others have their turn between two requests of one connection.
      setImmediate(() => {
        if (connection.socket.destroyed) return;
        this.#waitingCount -= 1;
        connection.waitingCount -= 1;
        connection.active = response;
        if (connection.waitingCount === 0 && connection.refusal === undefined) this.#release(connection);
        this.#options.serve(request, response, expectation);
      }),
    );
  }

  #hold(connection: Connection): void {
    if (connection.hold !== undefined) return;
    const { socket } = connection;
    // Node resumes a connection after each request that it has parsed.
    connection.hold = () => socket.pause();
    socket.on('resume', connection.hold);
    socket.pause();
  }

  #release(connection: Connection): void {
    const { socket, hold } = connection;
    if (hold === undefined) return;
    socket.off('resume', hold);
    connection.hold = undefined;
    connection.active = undefined;
    socket.resume();
  }

  #onClientError(error: ParseError, socket: Duplex): void {
    const connection = (socket as KnownSocket)[CONNECTION];
    // A handshake that failed, or a connection that is gone.
    if (connection === undefined || error.syscall !== undefined || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    if (connection.isEnding || connection.refusal !== undefined) return;
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.#onTimeout(connection);
    else this.#refuse(connection, { ...refusalOf(error, this.#options.limits), origin: originIn(error) });
  }

  /** The head of a request, or all of it, did not arrive in time. */
  #onTimeout(connection: Connection): void {
    const { last } = connection;
    const isPending = last !== undefined && !last.writableFinished;
    // What stands behind an answer that takes its time may not even have been read.
    if (isPending && last.req.complete) last.once('finish', () => this.#allowMore(connection, last));
    else if (isPending && last.socket === null) return;
    else this.#refuse(connection, TOO_SLOW);
  }

  /** Once more the time for what follows `answered`. */
  #allowMore(connection: Connection, answered: ServerResponse): void {
    const timer = setTimeout(() => {
      if (connection.last === answered || connection.last === undefined) this.#refuse(connection, TOO_SLOW);
    }, this.#options.bodyTimeoutMs).unref();
    connection.socket.once('close', () => clearTimeout(timer));
  }

  /** Refuses what arrived, in its turn: after the answers before it, and never in the place of one that has begun. */
  #refuse(connection: Connection, refusal: Refusal): void {
    const { last, socket } = connection;
    if (last === undefined || last.writableFinished) {
      // The rest of a body that was answered: the client has what it needs.
      if (last !== undefined && !last.req.complete) socket.destroy();
      else this.#end(connection, refusal);
      return;
    }
    if (last.req.complete) {
      // Node keeps reading, and would fail again at each piece.
      this.#hold(connection);
      connection.refusal = refusal;
      last.once('finish', () => this.#end(connection, refusal));
    } else if (last.socket === null) {
      this.#hold(connection);
      connection.refusal = refusal;
      last.removeAllListeners('socket').once('socket', () => this.#end(connection, refusal));
    } else if (last.headersSent) socket.destroy();
    else this.#end(connection, refusal);
  }

  /** Says why, and ends the connection. */
  #end(connection: Connection, refusal: Refusal): void {
    const { socket, last } = connection;
    if (connection.isEnding || !socket.writable) return;
    connection.isEnding = true;
    if (connection.hold !== undefined) socket.off('resume', connection.hold);
    this.#options.onRefused(refusal);
    // A body that failed has a head that was understood.
    const origin = last?.req.complete === false ? last.req.headers.origin : refusal.origin;
    const headers = this.#options.cors()?.headersFor({ url: '/', headers: { origin } }) ?? [];
    socket.write(refusalText(refusal, headers));
    closeLingering(socket);
  }

  #onConnect(socket: Duplex): void {
    const connection = (socket as KnownSocket)[CONNECTION];
    socket.on('error', () => {});
    const { last } = connection;
    const refusal = methodNotImplemented('CONNECT');
    if (last === undefined || last.writableFinished) this.#end(connection, refusal);
    else last.once('finish', () => this.#end(connection, refusal));
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const connection of this.#open) {
      const { last, active } = connection;
      if (last === undefined || connection.isEnding) continue;
      // A connection that is not read does not show that its client is gone.
      if (active !== undefined && IS_PROBED in active) sendProbe(active);
      if (last.req.complete) {
        // Nothing of it is needed any more.
        if (last.writableFinished) connection.last = undefined;
      } else if (last.socket === null && !last.writableFinished) {
        // It is left unread until its turn.
        connection.progressAtMs = nowMs;
      } else this.#watchBody(connection, last, nowMs);
    }
  }

  #watchBody(connection: Connection, { req }: ServerResponse, nowMs: number): void {
    const { bytesRead } = connection.socket;
    // What has arrived waits for us: the client is not to blame.
    if (bytesRead !== connection.bytesRead || req.readableLength > 0) {
      connection.bytesRead = bytesRead;
      connection.progressAtMs = nowMs;
    } else if (nowMs - connection.progressAtMs >= this.#options.bodyTimeoutMs) this.#refuse(connection, TOO_SLOW);
  }

  #onHalfClosed({ last }: Connection): void {
    if (last !== undefined && !last.writableFinished && IS_PROBED in last) probe(last);
  }
}

/**
 * Says that an answer must not be taken for delivered when its client is gone. TCP shows a client that has ended its side
 * and waits, and one that is gone, alike; the second resets the connection at the next bytes that it gets.
 */
export function probeHalfClosed(response: ServerResponse): void {
  Object.defineProperty(response, IS_PROBED, { value: true });
  if (response.req.socket.readableEnded) probe(response);
}

function probe(response: ServerResponse): void {
  const { socket } = response.req;
  // HTTP/1.0 has no interim answers (RFC 9110 §15.2).
  if (response.req.httpVersionMinor === 0) {
    socket.destroy();
    return;
  }
  sendProbe(response);
  // The answer waits until a reset can have come.
  socket.cork();
  const [first, second] = PROBE_AFTER_MS;
  const uncorked = setTimeout(() => {
    sendProbe(response);
    socket.uncork();
  }, first);
  const later = setTimeout(() => sendProbe(response), second);
  socket.once('close', () => {
    clearTimeout(uncorked);
    clearTimeout(later);
  });
}

/** Bytes that a client that is there passes over (RFC 9110 §15.2), and that the system of one that is gone resets. */
function sendProbe({ req, headersSent }: ServerResponse): void {
  if (!headersSent && !req.socket.destroyed && req.httpVersionMinor > 0) req.socket.write(PROBE);
}

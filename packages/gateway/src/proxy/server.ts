/** The listener for clients: node:http, one exchange a request, and an end that loses nothing. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { GatewayError } from '../errors.ts';
import { ClientTraffic } from './client-traffic.ts';
import type { ExchangeContext } from './context.ts';
import { Exchange } from './exchange.ts';
import { type Expectation, malformed } from './intake.ts';

export interface ProxyServerOptions {
  host: string;
  port: number;
  /** Connections that wait to be accepted. */
  backlog: number;
  maxHeaderBytes: number;
  context: ExchangeContext;
}

/** Longer than the 60 s after which common clients and balancers give an idle connection up. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Connections that are idle when the end begins may be used once more for so long; the answer ends them in order. */
const IDLE_CONNECTION_MS = 250;

export class ProxyServer {
  readonly #options: ProxyServerOptions;
  readonly #server: Server;
  /** Of the connections that came here. */
  readonly clients = new ClientTraffic();

  constructor(options: ProxyServerOptions) {
    this.#options = options;
    const start = (request: IncomingMessage, response: ServerResponse, expectation?: Expectation): void =>
      new Exchange(options.context, request, response).start(expectation);
    this.#server = createServer(
      {
        maxHeaderSize: options.maxHeaderBytes,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        noDelay: true,
        optimizeEmptyRequests: true,
        // The exchange answers it, with an error body.
        requireHostHeader: false,
      },
      (request, response) => start(request, response),
    );
    this.#server.on('checkContinue', (request, response) => start(request, response, 'continue'));
    this.#server.on('checkExpectation', (request, response) => start(request, response, 'unknown'));
    this.#server.on('connection', (socket) => this.clients.watch(socket));
    this.#server.on('clientError', (error: Error & { code?: string }, socket) => this.#onClientError(error, socket));
    this.#server.on('connect', (_, socket) => {
      refuse(socket, malformed('this is no forward proxy'));
    });
  }

  /** Errors: as `net.Server`, for a port that is taken (`EADDRINUSE`). */
  async start(): Promise<{ host: string; port: number }> {
    const { host, port, backlog } = this.#options;
    this.#server.listen({ host, port, backlog });
    await once(this.#server, 'listening');
    const bound = this.#server.address() as AddressInfo;
    return { host: bound.address, port: bound.port };
  }

  /** Takes no more connections, lets what is in flight finish for `graceMs`, and breaks off the rest. */
  async close(graceMs: number): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    // Not `http.Server`'s own, which breaks connections on which a client is just sending its next request.
    NetServer.prototype.close.call(this.#server);
    const idleTimer = setTimeout(() => this.#server.closeIdleConnections(), Math.min(IDLE_CONNECTION_MS, graceMs));
    const graceOver = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#server.closeAllConnections();
      graceOver.resolve();
    }, graceMs);
    await Promise.race([closed, graceOver.promise]);
    clearTimeout(timer);
    clearTimeout(idleTimer);
  }

  /** What node's parser refuses is answered in the API's words, if that cannot be taken for another request's answer. */
  #onClientError(error: Error & { code?: string }, socket: Duplex): void {
    const isAnswering = socket instanceof Socket && this.#options.context.peers.of(socket).requests.length > 0;
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswering) socket.destroy();
    else refuse(socket, clientErrorOf(error));
  }
}

function clientErrorOf(error: Error & { code?: string }): GatewayError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new GatewayError('headersTooLarge', 'The request headers are larger than this gateway accepts.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new GatewayError('requestTimeout', 'The request did not arrive completely in time.');
    default:
      return new GatewayError('malformedRequest', `The request is not HTTP/1.1: ${error.message}.`);
  }
}

/** Answers on the bare connection and ends it; node has left the connection to us, its errors too. */
function refuse(socket: Duplex, error: GatewayError): void {
  const body = JSON.stringify(error.toBody());
  socket.on('error', () => {});
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_TEXT[error.status] ?? 'Error'}\r\ncontent-type: ${KAFKA_V2}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

const STATUS_TEXT: Record<number, string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

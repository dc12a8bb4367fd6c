/** The listener for clients: node:http, one exchange a request, and an end that loses nothing. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { GatewayError } from '../errors.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';

export interface ProxyServerOptions {
  host: string;
  port: number;
  maxHeaderBytes: number;
  context: ExchangeContext;
}

/** Longer than the 60 s after which common clients and balancers give an idle connection up. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

export class ProxyServer {
  readonly #options: ProxyServerOptions;
  readonly #server: Server;
  #connectionCount = 0;

  constructor(options: ProxyServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: options.maxHeaderBytes,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        noDelay: true,
        optimizeEmptyRequests: true,
      },
      (request, response) => new Exchange(options.context, request, response).start(),
    );
    this.#server.on('connection', (socket) => {
      this.#connectionCount += 1;
      socket.once('close', () => {
        this.#connectionCount -= 1;
      });
    });
    this.#server.on('clientError', answerClientError);
    this.#server.on('connect', (_: IncomingMessage, socket: Duplex) => {
      refuse(
        socket,
        new GatewayError('malformedRequest', 'The request cannot be passed on: this is no forward proxy.'),
      );
    });
  }

  /** Errors: as `net.Server`, for a port that is taken (`EADDRINUSE`). */
  async start(): Promise<{ host: string; port: number }> {
    this.#server.listen(this.#options.port, this.#options.host);
    await once(this.#server, 'listening');
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Client connections that are open now. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** Takes no more connections, lets what is in flight finish for `graceMs`, and breaks off the rest. */
  async close(graceMs: number): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
  }
}

/** What node's parser refuses is answered in the API's words. */
function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  refuse(socket, clientErrorOf(error));
}

function clientErrorOf(error: Error & { code?: string }): GatewayError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new GatewayError('headersTooLarge', 'The request headers are larger than this gateway accepts.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new GatewayError('malformedRequest', 'The request did not arrive completely in time.');
    default:
      return new GatewayError('malformedRequest', `The request is not HTTP/1.1: ${error.message}.`);
  }
}

function refuse(socket: Duplex, error: GatewayError): void {
  const body = JSON.stringify(error.toBody());
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_TEXT[error.status] ?? 'Error'}\r\ncontent-type: ${KAFKA_V2}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const STATUS_TEXT: Record<number, string> = { 400: 'Bad Request', 431: 'Request Header Fields Too Large' };

/** The listener for clients: node:http, one exchange a request, and an end that loses nothing. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { ClosingResponse } from '@causeway/http/closing-response.ts';
import { Connections } from '@causeway/http/connections.ts';
import { examineHead, FORWARDING_BYTES } from '@causeway/http/head.ts';
import { ReadingTimeouts } from '@causeway/http/reading-timeouts.ts';
import type { ExchangeContext } from '../exchange/context.ts';
import { Exchange } from '../exchange/exchange.ts';
import { ClientTraffic } from './client-traffic.ts';

export interface ProxyServerOptions {
  host: string;
  port: number;
  /** Connections that wait to be accepted. */
  backlog: number;
  maxUrlBytes: number;
  maxHeaderBytes: number;
  headersTimeoutMs: number;
  bodyTimeoutMs: number;
  /** How long a client may take no byte of its answer. */
  answerTimeoutMs: () => number;
  context: ExchangeContext;
}

/** Longer than the 60 s after which common clients and balancers give an idle connection up. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Connections that are idle when the end begins may be used once more for so long; the answer ends them in order. */
const IDLE_CONNECTION_MS = 250;
/** A body that makes progress may take so long: Node's own default. */
const MAX_REQUEST_MS = 300_000;
/** How often Node looks for requests that are late. */
const MAX_TIMEOUT_CHECK_MS = 1_000;

export class ProxyServer {
  readonly #options: ProxyServerOptions;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #reading: ReadingTimeouts;
  /** Of the connections that came here. */
  readonly clients = new ClientTraffic();

  constructor(options: ProxyServerOptions) {
    this.#options = options;
    const { context, headersTimeoutMs, bodyTimeoutMs } = options;
    this.#server = createServer({
      maxHeaderSize: options.maxHeaderBytes + FORWARDING_BYTES,
      headersTimeout: headersTimeoutMs,
      requestTimeout: MAX_REQUEST_MS,
      connectionsCheckingInterval: Math.min(MAX_TIMEOUT_CHECK_MS, headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      optimizeEmptyRequests: true,
      // Answered with an error body.
      requireHostHeader: false,
      ServerResponse: ClosingResponse,
    });
    this.#connections = new Connections({
      limits: options,
      bodyTimeoutMs,
      serve: (request, response, expectation) => {
        const refusal = examineHead(request, options);
        new Exchange(context, request, response).start(expectation, refusal);
      },
      cors: () => context.cors,
      onRefused: () => {},
    });
    this.#connections.attach(this.#server, { isSecure: false });
    this.#reading = new ReadingTimeouts({
      timeoutMs: options.answerTimeoutMs,
      onTimeout: () => {
        context.held.counts.unread += 1;
      },
    });
    this.#reading.attach(this.#server, { isSecure: false });
    this.#server.on('connection', (socket) => this.clients.watch(socket));
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
    this.#connections.close();
    this.#reading.close();
  }
}

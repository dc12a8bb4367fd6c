/** Where connections come in: plain or TLS, HTTP's own limits of size and time, and answers to what is no request. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, isIP, Server as NetServer } from 'node:net';
import { ClosingResponse } from '@causeway/http/closing-response.ts';
import { Connections, type Expectation } from '@causeway/http/connections.ts';
import type { Cors } from '@causeway/http/cors.ts';
import { examineHead, FORWARDING_BYTES } from '@causeway/http/head.ts';
import { ReadingTimeouts } from '@causeway/http/reading-timeouts.ts';
import { API_METHODS, refusalBody, refusalHeaders, statusOf } from '@causeway/http/refusal.ts';
import type { Certificates } from '../certificates.ts';
import type { LimitsConfig } from '../config.ts';

/** Longer than load balancers keep idle connections, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How often time limits are looked at: they are met this exactly. */
const TIMEOUT_CHECK_MS = 500;

export type HttpLimits = Pick<
  LimitsConfig,
  | 'maxUrlBytes'
  | 'maxHeaderBytes'
  | 'maxBodyBytes'
  | 'maxControlBodyBytes'
  | 'headersTimeoutMs'
  | 'requestTimeoutMs'
  | 'answerTimeoutMs'
>;

export interface ListenerOptions {
  limits: HttpLimits;
  /** Plain HTTP without. */
  certificates: Certificates | undefined;
  /** Nobody pays for it without. */
  cors: Cors | undefined;
  /** A request was answered here. */
  onAnswered: (status: number) => void;
}

export interface ListenAddress {
  /** A name is all of its addresses. */
  host: string;
  port: number;
  /** Connections that wait to be accepted. */
  backlog: number;
}

export class Listener {
  readonly #options: ListenerOptions;
  /** One, or one for each address of a name. */
  readonly #servers: Server[] = [];
  readonly #connections: Connections;
  readonly #reading: ReadingTimeouts;
  #handler: RequestListener = () => {};

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { limits, onAnswered } = options;
    this.#reading = new ReadingTimeouts({ timeoutMs: () => limits.answerTimeoutMs });
    this.#connections = new Connections({
      limits,
      bodyTimeoutMs: limits.requestTimeoutMs,
      serve: (request, response, expectation) => this.#serve(request, response, expectation),
      cors: () => options.cors,
      onRefused: (refusal) => onAnswered(statusOf(refusal)),
    });
  }

  /** What serves every request that gets past this listener. */
  serveBy(handler: RequestListener): Server {
    this.#handler = handler;
    return this.#add();
  }

  /** Every address of a name that this machine has gets the same port. Errors: as `net.Server`. */
  async listen({ host, port, backlog }: ListenAddress): Promise<number> {
    const addresses = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }];
    let boundPort = port;
    let missing: unknown;
    let boundCount = 0;
    for (const { address } of addresses) {
      const server = this.#servers[boundCount] ?? this.#add();
      try {
        server.listen({ host: address, port: boundPort, backlog });
        await once(server, 'listening');
      } catch (error) {
        if (!isMissingAddress(error)) throw error;
        missing = error;
        continue;
      }
      boundPort = (server.address() as AddressInfo).port;
      boundCount += 1;
    }
    if (boundCount === 0) throw missing;
    return boundPort;
  }

  /** Takes no more connections, and leaves those that are as they are: `http.Server.close()` would end idle ones. */
  stopAccepting(): void {
    for (const server of this.#servers) NetServer.prototype.close.call(server);
  }

  /** Ends every connection. */
  close(): void {
    this.#connections.close();
    this.#reading.close();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #add(): Server {
    const { limits, certificates } = this.#options;
    const options = {
      maxHeaderSize: limits.maxHeaderBytes + FORWARDING_BYTES,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      // Answered here, in the API's words.
      requireHostHeader: false,
      ServerResponse: ClosingResponse,
    };
    const server =
      certificates === undefined
        ? createServer(options)
        : createSecureServer({ ...options, ...certificates.options, handshakeTimeout: limits.headersTimeoutMs });
    certificates?.serve(server);
    this.#connections.attach(server, { isSecure: certificates !== undefined });
    this.#reading.attach(server, { isSecure: certificates !== undefined });
    this.#servers.push(server);
    return server;
  }

  #serve(request: IncomingMessage, response: ServerResponse, expectation: Expectation | undefined): void {
    const { limits, cors, onAnswered } = this.#options;
    // The original sends none.
    response.sendDate = false;
    const refusal = examineHead(request, limits);
    // A page may read what is refused, too.
    if (cors?.answers(request, response) === true) {
      onAnswered(response.statusCode);
      return;
    }
    if (refusal !== undefined) {
      const body = refusalBody(refusal);
      const headers = { ...refusalHeaders(refusal), 'content-length': Buffer.byteLength(body) };
      response.writeHead(statusOf(refusal), headers).end(body);
      onAnswered(statusOf(refusal));
      return;
    }
    if (request.url === '*') {
      response.writeHead(204, { allow: `${API_METHODS},OPTIONS` }).end();
      onAnswered(204);
      return;
    }
    // A client that asks first is spared a body that will not be read. Other expectations are ignored.
    if (expectation === 'continue' && Number(request.headers['content-length'] ?? 0) <= limits.maxBodyBytes) {
      response.writeContinue();
    }
    this.#handler(request, response);
  }
}

/** As `::1` of `localhost` on a machine without IPv6. */
function isMissingAddress(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
}

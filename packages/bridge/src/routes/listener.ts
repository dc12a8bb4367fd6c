/** Where connections come in: plain or TLS, HTTP's own limits of size and time, and answers to what is no request. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, isIP, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import type { Certificates } from '../certificates.ts';
import type { LimitsConfig } from '../config.ts';
import type { Cors } from './cors.ts';

/** Longer than load balancers keep idle connections, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How often time limits are looked at: they are met this exactly. */
const TIMEOUT_CHECK_MS = 500;
/** As the original says it. */
const NO_HOST = '{"error_code":400,"message":""}';
const TOO_SLOW = '{"error_code":408,"message":"The request did not arrive completely in time"}';

export type HttpLimits = Pick<
  LimitsConfig,
  'maxUrlBytes' | 'maxHeaderBytes' | 'maxBodyBytes' | 'maxControlBodyBytes' | 'headersTimeoutMs' | 'requestTimeoutMs'
>;

export interface ListenerOptions {
  limits: HttpLimits;
  /** Plain HTTP without. */
  certificates: Certificates | undefined;
  /** Nobody pays for it without. */
  cors: Cors | undefined;
  /** A request was answered here. */
  onAnswered: (status: number) => void;
  /** The last request of a connection that has no complete answer. */
  pendingAnswer: (connection: Duplex) => ServerResponse | undefined;
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
  #handler: RequestListener = () => {};

  constructor(options: ListenerOptions) {
    this.#options = options;
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
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #add(): Server {
    const { limits, certificates } = this.#options;
    const options = {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      // Answered here, in the API's words.
      requireHostHeader: false,
    };
    const serve = this.#intake();
    const server =
      certificates === undefined
        ? createServer(options, serve)
        : createSecureServer({ ...options, ...certificates.options, handshakeTimeout: limits.headersTimeoutMs }, serve);
    certificates?.serve(server);
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // Whoever asks first is spared a body that will not be read.
      if (Number(request.headers['content-length'] ?? 0) <= limits.maxBodyBytes) response.writeContinue();
      serve(request, response);
    });
    // What nobody knows is not expected of anybody.
    server.on('checkExpectation', serve);
    server.on('clientError', (error: Error & { code?: string; rawPacket?: Buffer }, connection) =>
      this.#onClientError(error, connection),
    );
    server.on('connect', (_request, connection) => refuse(connection, '400 Bad Request'));
    this.#servers.push(server);
    return server;
  }

  #intake(): RequestListener {
    const { limits, cors, onAnswered } = this.#options;
    const handler: RequestListener = (request, response) => this.#handler(request, response);
    const serve: RequestListener =
      cors === undefined
        ? handler
        : (request, response) => {
            if (cors.answers(request, response)) onAnswered(response.statusCode);
            else handler(request, response);
          };
    return (request, response) => {
      // The original sends none.
      response.sendDate = false;
      if ((request.url ?? '').length > limits.maxUrlBytes) {
        response.writeHead(414, { 'content-length': 0 }).end();
        onAnswered(414);
      } else if (request.headers.host === undefined && request.httpVersionMinor > 0) {
        response.writeHead(400, { 'content-type': KAFKA_V2, 'content-length': NO_HOST.length }).end(NO_HOST);
        onAnswered(400);
      } else serve(request, response);
    };
  }

  /** What is no request is answered, if that cannot be taken for another request's answer. */
  #onClientError(error: Error & { code?: string; rawPacket?: Buffer }, connection: Duplex): void {
    const pending = this.#options.pendingAnswer(connection);
    const isItsTurn =
      pending === undefined || (pending.socket === connection && !pending.headersSent && !pending.req.complete);
    if (error.code === 'ECONNRESET' || !connection.writable || !isItsTurn) {
      connection.destroy();
      return;
    }
    switch (error.code) {
      case 'HPE_HEADER_OVERFLOW':
        refuse(
          connection,
          isRequestLineTooLong(error.rawPacket, this.#options.limits)
            ? '414 URI Too Long'
            : '431 Request Header Fields Too Large',
        );
        break;
      case 'ERR_HTTP_REQUEST_TIMEOUT':
        refuse(connection, '408 Request Timeout', TOO_SLOW);
        break;
      default:
        refuse(connection, '400 Bad Request');
    }
    if (pending === undefined) this.#options.onAnswered(400);
  }
}

/** As `::1` of `localhost` on a machine without IPv6. */
function isMissingAddress(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
}

/** Whether what arrived last begins with a request line that is too long by itself. */
function isRequestLineTooLong(packet: Buffer | undefined, { maxUrlBytes }: HttpLimits): boolean {
  const target = /^[A-Z]+ (\S*)/.exec(packet?.toString('latin1') ?? '')?.[1];
  return target !== undefined && target.length > maxUrlBytes;
}

/** Answers on the bare connection and ends it; node has left the connection to us, its errors too. */
function refuse(connection: Duplex, status: string, body = ''): void {
  const type = body === '' ? '' : `content-type: ${KAFKA_V2}\r\n`;
  connection.on('error', () => {});
  connection.end(
    `HTTP/1.1 ${status}\r\n${type}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => connection.destroy(),
  );
}

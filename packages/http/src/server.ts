/** The HTTP server of both programs: listens, limits, refuses, serves requests in turn, drains and stops. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, isIP, Server as NetServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { admit, type Check } from './admission.ts';
import { BodyTimeouts } from './body-timeouts.ts';
import type { Certificates } from './certificates.ts';
import { ClosingResponse } from './closing-response.ts';
import { type Connection, connectionOf, openConnection } from './connection.ts';
import type { Cors } from './cors.ts';
import { Entrance, type EntranceOptions } from './entrance.ts';
import { watchHalfClosed } from './half-closed.ts';
import { FORWARDING_BYTES } from './head.ts';
import type { Http2Arrival } from './http2/connection.ts';
import { Http2Connections } from './http2/connections.ts';
import { intercept } from './http2/dispatch.ts';
import { http2HeadChecks } from './http2/head.ts';
import { Prefaces } from './http2/preface.ts';
import { OpenConnections } from './open-connections.ts';
import { describePeer, type Peer, type Protocol, type Scheme } from './peer.ts';
import { ReadingTimeouts } from './reading-timeouts.ts';
import { type HeadLimits, type Refusal, refusalBody, refusalHeaders, statusOf, TOO_SLOW } from './refusal.ts';
import { Refuser } from './refuser.ts';
import { type Arrival, type Expectation, Turns } from './turns.ts';
import { ignoreUpgrade } from './upgrade.ts';

export interface ServerLimits extends HeadLimits {
  /** How long the head of a request may take to arrive; 408 after it. Also for the TLS handshake. */
  headersTimeoutMs: number;
  /** How long a whole request may take to arrive; 408 after it. */
  requestTimeoutMs: number;
  /** How long a body may stall; 408 after it. */
  bodyTimeoutMs: number;
  /** Read at each sweep: how long a client may read nothing of its response; then its connection is broken. */
  responseTimeoutMs: () => number;
}

/** HTTP/2, beside HTTP/1.1: by ALPN with TLS, by its preface without (RFC 9113 §3). */
export interface Http2Options<P extends Peer = Peer> {
  /** Streams that a client may have open on one connection. */
  maxConcurrentStreams: number;
  /** As those of the server, for requests of HTTP/2, after the checks of their heads. */
  checks: readonly Check<P>[];
  serve: (arrival: Http2Arrival<P>) => void;
  refuse: (arrival: Http2Arrival<P>, refusal: Refusal) => void;
}

export interface HttpServerOptions<P extends Peer = Peer> {
  limits: ServerLimits;
  /** The addresses of a name to listen at. Default: as the system resolves it. */
  addressesOf?: (name: string) => Promise<readonly string[]>;
  /** What connections pass before their first request. Default: the TLS handshake alone. */
  entrance?: Omit<EntranceOptions, 'headerTimeoutMs'> | undefined;
  /** HTTP/1.1 alone without. */
  http2?: Http2Options<P> | undefined;
  /** TLS on every connection; plain HTTP without. */
  certificates?: Certificates | undefined;
  /** What the program keeps for each connection. Default: the peer itself. */
  meet?: (peer: Peer, socket: Socket) => P;
  /** Every request passes them in order; the first refusal wins. */
  checks: readonly Check<P>[];
  /** Gets each admitted request when it is its turn. */
  serve: (arrival: Arrival<P>) => void;
  /** Responds to a request that a check refuses. Default: in the API's words. */
  refuse?: (arrival: Arrival<P>, refusal: Refusal) => void;
  /** Read at each refusal of bytes that are no request: which pages of other origins may read it. */
  cors?: () => Cors | undefined;
  /** Bytes that are no request were refused, or a request that arrived too slowly. */
  onRefused?: (refusal: Refusal) => void;
  /** A client read nothing of its response in time. */
  onUnread?: () => void;
}

export interface ListenAddress {
  /** A name means all of its addresses that this machine has. */
  host: string;
  /** 0: the system chooses. */
  port: number;
  /** Connections that may wait to be accepted. */
  backlog?: number | undefined;
}

/** Longer than the 60 s after which common clients and load balancers give up an idle connection, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How often the system chooses a port for a name whose addresses do not all have it free. */
const MAX_PORT_CHOICES = 10;
/** How often Node checks for requests that are late. */
const TIMEOUT_CHECK_MS = 500;
/** How long an idle connection may carry one more request while the server drains; the response closes it in order. */
const IDLE_CONNECTION_MS = 250;
/** After so many sweeps a drain waits for responses alone: not for half a head, nor for a client that sends on after its response. */
const PATIENT_SWEEPS = 4;

export class HttpServer<P extends Peer = Peer> {
  readonly connections = new OpenConnections<P>();
  readonly entrance: Entrance;
  readonly #options: HttpServerOptions<P>;
  /** One for each address. */
  readonly #servers: Server[] = [];
  readonly #turns: Turns<P>;
  readonly #refuser: Refuser;
  readonly #bodies: BodyTimeouts;
  readonly #reading: ReadingTimeouts;
  readonly #http2: Http2Connections<P> | undefined;
  /** Of plain connections, where HTTP/2 is served, too. */
  readonly #prefaces: Prefaces[] = [];
  #isLeaving = false;
  #drained: Promise<unknown> | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: HttpServerOptions<P>) {
    this.#options = options;
    const { limits, onRefused = () => {}, cors = () => undefined } = options;
    const { connections } = this;
    this.#turns = new Turns((arrival) => this.#admit(arrival));
    const { bodyTimeoutMs } = limits;
    this.#refuser = new Refuser({ limits, bodyTimeoutMs, cors, onRefused });
    const onStalled = this.#refuser.refuse.bind(this.#refuser);
    this.#bodies = new BodyTimeouts({
      connections,
      timeoutMs: bodyTimeoutMs,
      onStalled: (connection) => onStalled(connection, TOO_SLOW),
    });
    this.#reading = new ReadingTimeouts({
      connections,
      timeoutMs: limits.responseTimeoutMs,
      onTimeout: options.onUnread,
    });
    this.#http2 = options.http2 && this.#http2Connections(options.http2);
    this.entrance = new Entrance({ ...options.entrance, headerTimeoutMs: limits.headersTimeoutMs });
    this.#addServer();
  }

  get scheme(): Scheme {
    return this.#options.certificates === undefined ? 'http' : 'https';
  }

  /** The first of Node's servers, for a framework that needs one. It must not listen by itself. */
  get node(): Server {
    return this.#servers[0] as Server;
  }

  /** Whether the server has stopped accepting connections. */
  get isDraining(): boolean {
    return this.#drained !== undefined;
  }

  /** All addresses of a name get the same port. Returns the URL of the first. Errors: as `net.Server`, such as `EADDRINUSE`. */
  async listen({ host, port, backlog }: ListenAddress): Promise<{ url: string; port: number }> {
    const { addressesOf = lookUp } = this.#options;
    // A hosts file may have an address twice.
    const addresses = [...new Set(isIP(host) === 0 ? await addressesOf(host) : [host])];
    while (this.#servers.length < addresses.length) this.#addServer();
    let attempt = 1;
    for (;;) {
      try {
        const first = await this.#listenAll(addresses, { port, backlog });
        this.entrance.divide(this.#servers.filter((server) => server.listening));
        const hostInUrl = first.family === 'IPv6' ? `[${first.address}]` : first.address;
        return { url: `${this.scheme}://${hostInUrl}:${first.port}`, port: first.port };
      } catch (error) {
        // The port that the system chose for the first address is taken at another one: it chooses again.
        const isChosen = port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isChosen || attempt >= MAX_PORT_CHOICES || this.isDraining) throw error;
        attempt += 1;
      }
      await this.#stopListening();
    }
  }

  /** Returns the address of the first server that listens. */
  async #listenAll(
    addresses: readonly string[],
    { port, backlog }: Pick<ListenAddress, 'port' | 'backlog'>,
  ): Promise<AddressInfo> {
    let first: AddressInfo | undefined;
    let missing: unknown;
    let listeningCount = 0;
    for (const address of addresses) {
      const server = this.#servers[listeningCount] as Server;
      try {
        server.listen({ host: address, port: first?.port ?? port, backlog });
        await once(server, 'listening');
      } catch (error) {
        if (!isMissingAddress(error)) throw error;
        missing = error;
        continue;
      }
      listeningCount += 1;
      first ??= server.address() as AddressInfo;
    }
    if (first === undefined) throw missing;
    return first;
  }

  /** Resolves when the last connection has closed. */
  #stopListening(): Promise<unknown> {
    const listening = this.#servers.filter((server) => server.listening);
    const closed = Promise.all(listening.map((server) => once(server, 'close')));
    // Not `http.Server.close()`, which breaks connections on which a client is just sending its next request.
    for (const server of listening) NetServer.prototype.close.call(server);
    return closed;
  }

  /** Serves on; every response from now on closes its connection, so that clients move to other servers. */
  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.connections.forEach(({ last }) => {
      if (last?.headersSent === false) last.shouldKeepAlive = false;
    });
    this.#http2?.drain();
  }

  /** Accepts no more connections. Every response from now on closes its connection; idle ones close after a moment. */
  stopAccepting(): void {
    if (this.isDraining) return;
    this.#drained = this.#stopListening();
    this.leave();
    // Those that came since.
    this.#http2?.drain();
    let sweepCount = 0;
    this.#idleTimer = setInterval(() => {
      sweepCount += 1;
      this.#closeIdle();
      if (sweepCount >= PATIENT_SWEEPS) this.#breakWithoutRequest();
    }, IDLE_CONNECTION_MS);
  }

  /** Resolves when no connection is left. {@link stopAccepting} comes first. */
  async drained(): Promise<void> {
    await this.#drained;
  }

  /** Stops accepting, waits `graceMs` at most for requests in flight, and closes. */
  async stop(graceMs: number): Promise<void> {
    this.stopAccepting();
    const isOver = Promise.withResolvers<void>();
    const timer = setTimeout(() => isOver.resolve(), graceMs);
    await Promise.race([this.#drained, isOver.promise]);
    clearTimeout(timer);
    this.close();
  }

  /** Breaks every connection. */
  close(): void {
    this.stopAccepting();
    clearInterval(this.#idleTimer);
    this.entrance.close();
    this.#bodies.close();
    this.#reading.close();
    this.#http2?.close();
    for (const prefaces of this.#prefaces) prefaces.close();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #addServer(): Server {
    const { limits, certificates } = this.#options;
    const options = {
      maxHeaderSize: limits.maxHeaderBytes + FORWARDING_BYTES,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, limits.headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      optimizeEmptyRequests: true,
      // A check refuses the request, in the API's words.
      requireHostHeader: false,
      ServerResponse: ClosingResponse,
      shouldUpgradeCallback: ignoreUpgrade,
    };
    const server =
      certificates === undefined
        ? createServer(options)
        : createSecureServer({
            ...options,
            ...certificates.options,
            ALPNProtocols: this.#http2 === undefined ? ['http/1.1'] : ['h2', 'http/1.1'],
            handshakeTimeout: limits.headersTimeoutMs,
          });
    certificates?.serve(server);
    this.#attach(server);
    this.entrance.guard(server);
    this.#servers.push(server);
    return server;
  }

  #attach(server: Server): void {
    // A client that ends its side gets its response. Node has no other name for it.
    (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    const event = this.scheme === 'https' ? 'secureConnection' : 'connection';
    if (this.#http2 === undefined) server.on(event, (socket: Socket) => this.#meet(socket, 'http/1.1'));
    else this.#splitProtocols(server, event);
    server.on('request', (request, response) => this.#onRequest(request, response, undefined));
    server.on('checkContinue', (request, response) => this.#onRequest(request, response, 'continue'));
    server.on('checkExpectation', (request, response) => this.#onRequest(request, response, 'unknown'));
    server.on('clientError', (error, socket) => this.#refuser.onClientError(error, socket));
    server.on('connect', (_request, socket) => this.#refuser.onConnect(socket));
  }

  /** Gives each connection to the protocol that it speaks. */
  #splitProtocols(server: Server, event: 'connection' | 'secureConnection'): void {
    const onProtocol = (socket: Socket, protocol: Protocol): void => {
      if (protocol === 'http/1.1') give(socket);
      const connection = this.#meet(socket, protocol);
      if (protocol === 'h2') this.#http2?.begin(connection);
    };
    const prefaces = new Prefaces({ timeoutMs: this.#options.limits.headersTimeoutMs, onProtocol });
    this.#prefaces.push(prefaces);
    const give = intercept(server, event, (socket) => {
      if (!(socket instanceof TLSSocket)) prefaces.read(socket);
      else onProtocol(socket, socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1');
    });
  }

  #meet(socket: Socket, protocol: Protocol): Connection<P> {
    const peer = describePeer(socket, protocol);
    const connection = openConnection(socket, this.#options.meet?.(peer, socket) ?? (peer as P));
    this.connections.add(connection);
    watchHalfClosed(connection);
    socket.once('close', () => this.#turns.forget(connection));
    return connection;
  }

  #http2Connections({ maxConcurrentStreams, checks, serve, refuse }: Http2Options<P>): Http2Connections<P> {
    const { limits, onRefused = () => {}, onUnread = () => {}, cors = () => undefined } = this.#options;
    const allChecks: readonly Check<P>[] = [...http2HeadChecks(limits), ...checks];
    return new Http2Connections({
      maxConcurrentStreams,
      limits: { ...limits, idleTimeoutMs: KEEP_ALIVE_TIMEOUT_MS },
      serve: (arrival) => {
        const refusal = admit(allChecks, arrival.request, arrival.peer);
        if (refusal === undefined) serve(arrival);
        else refuse(arrival, refusal);
      },
      corsHeaders: (origin) => cors()?.headersFor({ url: '/', headers: { origin } }) ?? [],
      onRefused,
      onUnread,
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectation: Expectation | undefined): void {
    const connection = connectionOf<P>(request.socket);
    if (connection === undefined) return;
    this.#turns.take(connection, { request, response, peer: connection.peer, expectation });
  }

  #admit(arrival: Arrival<P>): void {
    if (this.#isLeaving) arrival.response.shouldKeepAlive = false;
    const refusal = admit(this.#options.checks, arrival.request, arrival.peer);
    const { serve, refuse = sendRefusal } = this.#options;
    if (refusal === undefined) serve(arrival);
    else refuse(arrival, refusal);
  }

  /** Closes the connections that carry no request. */
  #closeIdle(): void {
    this.#http2?.drain();
    for (const prefaces of this.#prefaces) prefaces.close();
    // Node counts a connection as idle while it still writes its last response, and would cut that off.
    if (this.#isWriting()) return;
    for (const server of this.#servers) server.closeIdleConnections();
  }

  /** Breaks the connections that owe no response. */
  #breakWithoutRequest(): void {
    this.entrance.close();
    this.#http2?.breakWithoutRequest();
    this.connections.forEach(({ socket, last, isHttp2 }) => {
      if (!isHttp2 && socket.writableLength === 0 && last?.writableFinished !== false) socket.destroy();
    });
  }

  #isWriting(): boolean {
    let isWriting = false;
    this.connections.forEach(({ socket, last, active }) => {
      if (socket.writableLength > 0 || isUnfinished(last) || isUnfinished(active)) isWriting = true;
    });
    return isWriting;
  }
}

/** Whether the response has ended, and bytes of it still wait for the client. */
function isUnfinished(response: ServerResponse | undefined): boolean {
  return response?.writableEnded === true && !response.writableFinished;
}

function sendRefusal({ response }: Pick<Arrival, 'response'>, refusal: Refusal): void {
  const body = refusalBody(refusal);
  const headers = { ...refusalHeaders(refusal), 'content-length': Buffer.byteLength(body) };
  response.writeHead(statusOf(refusal), headers).end(body);
}

async function lookUp(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** As `::1` of `localhost` on a machine without IPv6. */
function isMissingAddress(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
}

/**
 * The transport to one target over HTTP/1.1 without pipelining: one connection for each request in flight, and idle ones that
 * wait for the next request.
 *
 * The connection that was used last is used first, so that surplus ones expire. A connection past its age carries no further
 * request. The pool limits the time of connections only; the sender of a request limits the time of that request.
 */
import { isIP, type Socket } from 'node:net';
import { IndexedList } from '@causeway/http/indexed-list.ts';
import { type ConnectOptions, connectTo, hostOf, TlsSessions } from './connect.ts';
import { Connection, type ConnectionEvents, type Message } from './connection.ts';
import { UpstreamError } from './errors.ts';
import { HandshakePace } from './handshake-pace.ts';
import type { HostUse } from './host-addresses.ts';
import { type BodyFraming, formatRequestHead } from './request-head.ts';
import { HeaderNames } from './response-head.ts';
import type { Transport, TransportDefaults, TransportOptions, UpstreamHandler, UpstreamRequest } from './transport.ts';

/** The most that a socket reads at a time. */
const READ_BUFFER_BYTES = 65_536;
/** An idle connection closes this much before the target would close it, so that no request is on its way at that time. */
const HINT_MARGIN_MS = 2_000;
const MIN_SWEEP_MS = 10;
/** Connections opened together end in the last tenth of their age, not at once. */
const AGE_JITTER_RATIO = 0.1;

/** A request that needs a connection. */
interface Unsent {
  readonly message: Message;
  readonly handler: UpstreamHandler;
  /** Not one that carried a request. */
  readonly isFresh: boolean;
}

/** A request, and the idle connection that carries it unless that turns out to be closed. */
interface Reserved {
  readonly connection: Connection;
  readonly message: Message;
  readonly handler: UpstreamHandler;
}

export class ConnectionPool implements Transport, ConnectionEvents {
  readonly #options: TransportOptions;
  readonly #defaults: TransportDefaults;
  readonly #url: URL;
  readonly #isSecure: boolean;
  readonly #connections = new Set<Connection>();
  /** Roughly in the order of last use, the most recent at the end. */
  readonly #idle = new IndexedList<Connection>();
  readonly #names = new HeaderNames();
  readonly #tlsSessions = new TlsSessions();
  readonly #pace = new HandshakePace<Unsent>(({ message, handler }) => this.#sendOverNew(message, handler));
  /** Shared by all connections over TCP: a socket delivers its bytes before the next one reads (read-buffer.test.ts). */
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  #reserved: Reserved[] = [];
  readonly #sendReserved = (): void => {
    const reserved = this.#reserved;
    this.#reserved = [];
    for (const { connection, message, handler } of reserved) {
      if (!connection.isClosed) connection.send(message, handler);
      else if (this.#isDestroyed) this.#refuse(handler, closed());
      else this.#openFor({ message, handler, isFresh: false });
    }
    this.#resolveClosing();
  };
  /** `undefined` where the URL has an address. */
  readonly #host: HostUse | undefined;
  #isDestroyed = false;
  #sweepTimer: NodeJS.Timeout | undefined;
  /** When the timer is due; Infinity without a timer. */
  #sweepAtMs = Number.POSITIVE_INFINITY;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: TransportOptions, defaults: TransportDefaults = {}) {
    this.#options = options;
    this.#defaults = defaults;
    this.#url = new URL(options.url);
    this.#isSecure = this.#url.protocol === 'https:';
    const host = hostOf(this.#url);
    this.#host = isIP(host) === 0 ? defaults.hosts?.use(host, () => this.#followHost()) : undefined;
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler, { isFresh = false, isUrgent = false } = {}): void {
    let message: Message;
    try {
      if (this.#closing !== undefined) throw closed();
      const { method, body } = request;
      const headText = formatRequestHead(request, this.#url.host, framingOf(body));
      message = { method, headText, body };
    } catch (error) {
      this.#refuse(handler, error as Error);
      return;
    }
    const connection = isFresh ? undefined : this.#takeIdle();
    if (connection !== undefined) this.#reserve({ connection, message, handler });
    else if (isUrgent) this.#sendOverNew(message, handler);
    else this.#openFor({ message, handler, isFresh });
  }

  /**
   * Waits until the event loop has read what reached an idle connection before a request leaves on it. An end closes the
   * connection, and so do bytes, which would otherwise be read as the response (GHSA-35p6-xmwp-9g52). All requests of
   * one turn share the wait: until the second `setImmediate`, since a turn does not see what arrives after it polled.
   */
  #reserve(reserved: Reserved): void {
    if (this.#reserved.length === 0) setImmediate(() => setImmediate(this.#sendReserved));
    this.#reserved.push(reserved);
  }

  #openFor(unsent: Unsent): void {
    if (this.#isSecure) this.#pace.add(unsent);
    else this.#sendOverNew(unsent.message, unsent.handler);
  }

  #sendOverNew(message: Message, handler: UpstreamHandler): void {
    let connection: Connection;
    try {
      if (this.#isDestroyed) throw closed();
      connection = this.#open();
    } catch (error) {
      this.#refuse(handler, error as Error);
      return;
    }
    connection.send(message, handler);
  }

  #refuse(handler: UpstreamHandler, error: Error): void {
    try {
      handler.onResponseError(error);
    } catch (fault) {
      this.onFault(fault);
    }
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      // In a busy process the sweep may be late.
      if (connection.idleUntilMs > this.#options.now()) return connection;
      connection.destroy();
    }
  }

  onIdle(connection: Connection): void {
    if (this.#closing !== undefined) {
      connection.destroy();
      return;
    }
    const { keepAliveMs, now } = this.#options;
    const { hintMs } = connection;
    const nowMs = now();
    const wantedMs = hintMs === undefined ? keepAliveMs : Math.min(keepAliveMs, hintMs - HINT_MARGIN_MS);
    const keptMs = Math.min(wantedMs, connection.endsAtMs - nowMs);
    if (keptMs <= 0) {
      connection.destroy();
      return;
    }
    const unsent = this.#pace.take(({ isFresh }) => !isFresh);
    if (unsent !== undefined) {
      this.#reserve({ connection, message: unsent.message, handler: unsent.handler });
      return;
    }
    connection.idleUntilMs = nowMs + keptMs;
    this.#idle.add(connection);
    if (connection.idleUntilMs < this.#sweepAtMs) this.#sweepAt(connection.idleUntilMs, keptMs);
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#idle.remove(connection);
    if (connection.hasFailed) this.#host?.refreshSoon();
    this.#resolveClosing();
  }

  onFault(error: unknown): void {
    this.#defaults.onFault?.(error);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers();
    clearTimeout(this.#sweepTimer);
    for (const connection of this.#idle.toArray()) connection.destroy();
    this.#resolveClosing();
    return this.#closing.promise;
  }

  #resolveClosing(): void {
    const isUsed = this.#connections.size > 0 || this.#reserved.length > 0 || this.#pace.waitingCount > 0;
    if (isUsed || this.#closing === undefined) return;
    this.#host?.close();
    this.#closing.resolve();
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    for (const { handler } of this.#pace.clear()) this.#refuse(handler, closed());
    const ended = this.close();
    for (const connection of [...this.#connections]) connection.destroy(closed());
    await ended;
  }

  #open(): Connection {
    const tls = this.#isSecure ? { hasCertificate: this.#defaults.hasCertificate?.() ?? false } : undefined;
    const connection = new Connection({ names: this.#names, events: this, tls });
    connection.endsAtMs = this.#endOfAge();
    const options: ConnectOptions = {
      url: this.#url,
      timeoutMs: this.#options.connectTimeoutMs,
      secureContext: this.#defaults.secureContext?.(),
      serverName: this.#options.serverName,
      lookup: this.#host?.lookup,
      readBuffer: this.#readBuffer,
      onBytes: (bytes) => connection.onBytes(bytes),
    };
    const socket = connectTo(options, this.#tlsSessions, (connected) => this.#onConnected(connection, connected));
    this.#connections.add(connection);
    connection.attach(socket);
    return connection;
  }

  #onConnected(connection: Connection, { remoteAddress }: Socket): void {
    // The host may have moved since the connection began.
    if (!this.#isOfHost(remoteAddress)) connection.endsAtMs = Number.NEGATIVE_INFINITY;
    connection.onConnected(remoteAddress);
  }

  /** Connections to addresses that the host has no more end like those past their age. */
  #followHost(): void {
    for (const connection of this.#connections) {
      if (!this.#isOfHost(connection.address)) connection.endsAtMs = Number.NEGATIVE_INFINITY;
    }
    for (const connection of this.#idle.toArray()) {
      if (!this.#isOfHost(connection.address)) connection.destroy();
    }
  }

  #isOfHost(address: string | undefined): boolean {
    return this.#host === undefined || address === undefined || this.#host.has(address);
  }

  #endOfAge(): number {
    const { maxAgeMs, now } = this.#options;
    if (maxAgeMs === 0) return Number.POSITIVE_INFINITY;
    const { random = Math.random } = this.#defaults;
    return now() + maxAgeMs * (1 - AGE_JITTER_RATIO * random());
  }

  #sweepAt(atMs: number, delayMs: number): void {
    clearTimeout(this.#sweepTimer);
    this.#sweepAtMs = atMs;
    this.#sweepTimer = setTimeout(() => this.#sweep(), Math.max(MIN_SWEEP_MS, delayMs));
  }

  #sweep(): void {
    this.#sweepTimer = undefined;
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#options.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const connection of this.#idle.toArray()) {
      if (connection.idleUntilMs <= nowMs) connection.destroy();
      else nextMs = Math.min(nextMs, connection.idleUntilMs);
    }
    if (this.#idle.size > 0) this.#sweepAt(nextMs, nextMs - nowMs);
  }
}

function closed(): UpstreamError {
  return new UpstreamError('CLOSED', 'the connections to the target are closed');
}

function framingOf(body: UpstreamRequest['body']): BodyFraming {
  if (body === undefined) return 'none';
  if (Buffer.isBuffer(body)) return body.length;
  return body.lengthBytes ?? 'chunked';
}

/**
 * The connections to one target: as many as there are requests at a time, and those that are idle wait for the next one.
 *
 * HTTP/1.1 without pipelining; the connection that was used last is used first, so that the others may end. No time limits
 * but those of connections: whoever sends owns the time of its request.
 */
import { IndexedList } from '@causeway/http/indexed-list.ts';
import { type ConnectOptions, connectTo, TlsSessions } from './connect.ts';
import {
  Connection,
  type ConnectionEvents,
  type Message,
  type UpstreamHandler,
  type UpstreamRequest,
} from './connection.ts';
import { UpstreamError } from './errors.ts';
import { type BodyFraming, formatRequestHead } from './request-head.ts';
import { HeaderNames } from './response-head.ts';

export interface ConnectionPoolOptions {
  /** Scheme, host and port. */
  readonly url: string;
  readonly connectTimeoutMs: number;
  /** An idle connection is closed after this long, or sooner where the target says so. */
  readonly keepAliveMs: number;
  /** Milliseconds, never going back. */
  readonly now: () => number;
}

/** What a socket reads at a time at most. */
const READ_BUFFER_BYTES = 65_536;
/** A target closes an idle connection after the time that it tells: a request must not be on its way then. */
const HINT_MARGIN_MS = 2_000;
const MIN_SWEEP_MS = 10;

export class ConnectionPool implements ConnectionEvents {
  readonly #options: ConnectionPoolOptions;
  readonly #url: URL;
  readonly #connections = new Set<Connection>();
  /** The one that was used last is the last, but for places that were filled again. */
  readonly #idle = new IndexedList<Connection>();
  readonly #names = new HeaderNames();
  readonly #tlsSessions = new TlsSessions();
  /** One for all: whoever reads has read before the next one does. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  #sweepTimer: NodeJS.Timeout | undefined;
  /** When the timer is due; Infinity: there is none. */
  #sweepAtMs = Number.POSITIVE_INFINITY;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
  }

  /** Never throws: `handler` is told what becomes of the request. `isFresh`: over a connection that was never used. */
  dispatch(request: UpstreamRequest, handler: UpstreamHandler, { isFresh = false } = {}): void {
    let message: Message;
    try {
      if (this.#closing !== undefined) throw new UpstreamError('CLOSED', 'its connections are closed');
      const { method, body } = request;
      const headText = formatRequestHead(request, this.#url.host, framingOf(body));
      message = { method, headText, body };
    } catch (error) {
      handler.onResponseError(error as Error);
      return;
    }
    const connection = (isFresh ? undefined : this.#takeIdle()) ?? this.#open();
    connection.send(message, handler);
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      // The timer of a process that was busy comes late.
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
    const keptMs = hintMs === undefined ? keepAliveMs : Math.min(keepAliveMs, hintMs - HINT_MARGIN_MS);
    if (keptMs <= 0) {
      connection.destroy();
      return;
    }
    connection.idleUntilMs = now() + keptMs;
    this.#idle.add(connection);
    if (connection.idleUntilMs < this.#sweepAtMs) this.#sweepAt(connection.idleUntilMs, keptMs);
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#idle.remove(connection);
    if (this.#connections.size === 0) this.#closing?.resolve();
  }

  /** Takes no more requests, and ends when those under way are done. */
  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers();
    clearTimeout(this.#sweepTimer);
    for (const connection of this.#idle.toArray()) connection.destroy();
    if (this.#connections.size === 0) this.#closing.resolve();
    return this.#closing.promise;
  }

  /** Takes no more requests, and breaks those under way off. */
  async destroy(): Promise<void> {
    const closed = this.close();
    for (const connection of [...this.#connections]) {
      connection.destroy(new UpstreamError('CLOSED', 'its connections are closed'));
    }
    await closed;
  }

  #open(): Connection {
    const connection = new Connection(this.#names, this);
    this.#connections.add(connection);
    const options: ConnectOptions = {
      url: this.#url,
      timeoutMs: this.#options.connectTimeoutMs,
      readBuffer: this.#readBuffer,
      onBytes: (bytes) => connection.onBytes(bytes),
    };
    connection.attach(connectTo(options, this.#tlsSessions, () => connection.onConnected()));
    return connection;
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

function framingOf(body: UpstreamRequest['body']): BodyFraming {
  if (body === undefined) return 'none';
  if (Buffer.isBuffer(body)) return body.length;
  return body.lengthBytes ?? 'chunked';
}

/** The time limits of HTTP/2 connections and their streams. */
import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { Indexed, IndexedList } from '../indexed-list.ts';
import { isUnread, MAX_STEP_MS, NOTHING_WAITS } from '../reading-progress.ts';
import type { Refusal } from '../refusal.ts';
import { TOO_SLOW } from '../refusal.ts';
import type { Overhead } from './overhead.ts';
import type { Http2Response } from './response.ts';

/** A connection, as far as time limits need it. */
export interface WatchedConnection extends Indexed {
  readonly socket: Socket;
  readonly streams: IndexedList<Http2Response>;
  readonly isClosed: boolean;
  /** Whether the client's first settings have arrived, which follow the preface. */
  readonly hasSettings: boolean;
  /** Streams so far, and as the last look found them. */
  readonly streamCount: number;
  seenStreamCount: number;
  /** When it was last seen with a stream, or began. */
  idleSinceMs: number;
  readonly overhead: Overhead;
  close(): void;
  /** Breaks the connection, with the reason for the client. */
  destroy(code: number): void;
}

export interface Http2TimeoutsOptions {
  connections: { forEach(visit: (connection: WatchedConnection) => void): void };
  limits: Http2TimeLimits;
  /** The body of a request did not arrive in time. */
  onLate: (response: Http2Response, refusal: Refusal) => void;
  /** A client read nothing of its response in time. */
  onUnread: () => void;
}

export interface Http2TimeLimits {
  /** How long the first frame may take to arrive. */
  headersTimeoutMs: number;
  /** How long a whole request may take to arrive. */
  requestTimeoutMs: number;
  /** How long a body may stall. */
  bodyTimeoutMs: number;
  /** Read at each sweep: how long a client may read nothing of its response. */
  responseTimeoutMs: () => number;
  /** How long a connection may have no stream. */
  idleTimeoutMs: number;
}

/** How often connections are checked, at most and at least. */
const MAX_SWEEP_MS = 1_000;
const MIN_SWEEP_MS = 25;
/** How long a connection that has ended may take to close. */
const CLOSE_MS = 5_000;

export class Http2Timeouts {
  readonly #options: Http2TimeoutsOptions;
  readonly #timer: NodeJS.Timeout;
  #sweptAtMs = performance.now();

  constructor(options: Http2TimeoutsOptions) {
    this.#options = options;
    const { headersTimeoutMs, bodyTimeoutMs } = options.limits;
    const sweepMs = Math.min(MAX_SWEEP_MS, Math.max(MIN_SWEEP_MS, Math.min(headersTimeoutMs, bodyTimeoutMs) / 4));
    this.#timer = setInterval(() => this.#sweep(), sweepMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const nowMs = performance.now();
    const stepMs = Math.min(MAX_STEP_MS, nowMs - this.#sweptAtMs);
    this.#sweptAtMs = nowMs;
    const timeoutMs = this.#options.limits.responseTimeoutMs();
    this.#options.connections.forEach((connection) => {
      if (connection.overhead.isExcessive(connection, stepMs)) connection.destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      connection.streams.forEach((response) => {
        this.#checkStream(response, { nowMs, stepMs, timeoutMs });
      });
      this.#checkConnection(connection, nowMs);
    });
  }

  #checkConnection(connection: WatchedConnection, nowMs: number): void {
    const { headersTimeoutMs, idleTimeoutMs } = this.#options.limits;
    if (connection.streams.size > 0 || connection.streamCount !== connection.seenStreamCount) {
      connection.seenStreamCount = connection.streamCount;
      connection.idleSinceMs = nowMs;
      return;
    }
    const idleMs = nowMs - connection.idleSinceMs;
    if (connection.isClosed) {
      if (idleMs >= CLOSE_MS) connection.socket.destroy();
    } else if (!connection.hasSettings && idleMs >= headersTimeoutMs) {
      connection.destroy(constants.NGHTTP2_SETTINGS_TIMEOUT);
    } else if (idleMs >= idleTimeoutMs) {
      connection.close();
      connection.idleSinceMs = nowMs;
    }
  }

  /** `timeoutMs`: how long the client may read nothing. */
  #checkStream(
    response: Http2Response,
    { nowMs, stepMs, timeoutMs }: { nowMs: number; stepMs: number; timeoutMs: number },
  ): void {
    const takenBytes = response.writableLength === 0 ? NOTHING_WAITS : response.takenBytes;
    if (response.watchedSinceMs === 0) {
      response.watchedSinceMs = nowMs;
      response.progressAtMs = nowMs;
    }
    if (response.isFinished) {
      // The client owes the end of its side, and would hold the connection open.
      if (response.wasFinished) response.close();
      response.wasFinished = true;
    } else if (!response.req.complete && this.#isLate(response, nowMs)) this.#options.onLate(response, TOO_SLOW);
    else if (isUnread(response, takenBytes, { stepMs, timeoutMs })) {
      this.#options.onUnread();
      response.destroy();
    }
  }

  /** Whether the body has stalled, or takes too long in all. */
  #isLate(response: Http2Response, nowMs: number): boolean {
    const { bodyTimeoutMs, requestTimeoutMs } = this.#options.limits;
    const { receivedBytes, readableLength } = response.req;
    // Bytes that arrived and were not read yet are not the client's delay.
    if (receivedBytes !== response.seenBytes || readableLength > 0) {
      response.seenBytes = receivedBytes;
      response.progressAtMs = nowMs;
    }
    return nowMs - response.progressAtMs >= bodyTimeoutMs || nowMs - response.watchedSinceMs >= requestTimeoutMs;
  }
}

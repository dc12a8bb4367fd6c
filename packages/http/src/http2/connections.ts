/** The open HTTP/2 connections of a server: begins, watches, drains and breaks them. */
import { constants } from 'node:http2';
import type { Connection } from '../connection.ts';
import { IndexedList } from '../indexed-list.ts';
import type { Peer } from '../peer.ts';
import { type HeadLimits, type Refusal, refusalBody, refusalHeaders, statusOf } from '../refusal.ts';
import { type Http2Arrival, Http2Connection } from './connection.ts';
import type { Http2Response } from './response.ts';
import { type SessionOptions, sessionOptions } from './session-options.ts';
import { type Http2TimeLimits, Http2Timeouts } from './timeouts.ts';

export interface Http2ConnectionsOptions<P extends Peer> {
  /** Streams that a client may have open on one connection. */
  maxConcurrentStreams: number;
  limits: HeadLimits & Http2TimeLimits;
  serve: (arrival: Http2Arrival<P>) => void;
  /** The headers by which pages of other origins may read a refusal: names and values in turn. */
  corsHeaders: (origin: string | undefined) => readonly string[];
  onRefused: (refusal: Refusal) => void;
  onUnread: () => void;
}

export class Http2Connections<P extends Peer> {
  readonly #options: Http2ConnectionsOptions<P>;
  readonly #open = new IndexedList<Http2Connection<P>>();
  readonly #session: SessionOptions;
  readonly #timeouts: Http2Timeouts;

  constructor(options: Http2ConnectionsOptions<P>) {
    this.#options = options;
    this.#session = sessionOptions(options, options.limits);
    this.#timeouts = new Http2Timeouts({
      connections: this.#open,
      limits: options.limits,
      onLate: (response, refusal) => this.#refuse(response, refusal),
      onUnread: options.onUnread,
    });
  }

  /** Takes a connection over, until its socket closes. */
  begin(connection: Connection<P>): void {
    // Node fails at a socket that is gone.
    if (connection.socket.destroyed) return;
    const opened = new Http2Connection(connection, { session: this.#session, serve: this.#options.serve });
    this.#open.add(opened);
    connection.socket.once('close', () => this.#open.remove(opened));
  }

  /** Closes every connection with its last stream: the clients learn which ones are not served. */
  drain(): void {
    this.#open.forEach((connection) => {
      connection.close();
    });
  }

  /** Breaks the connections that owe no response. */
  breakWithoutRequest(): void {
    this.#open.forEach((connection) => {
      if (connection.streams.size === 0) connection.socket.destroy();
    });
  }

  close(): void {
    this.#timeouts.close();
    this.#open.forEach((connection) => {
      const isIdle = connection.streams.size === 0;
      connection.destroy(isIdle ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_INTERNAL_ERROR);
      connection.socket.destroy();
    });
  }

  /** Ends a request that arrives too slowly. */
  #refuse(response: Http2Response, refusal: Refusal): void {
    const { owner } = response;
    response.owner = undefined;
    this.#options.onRefused(refusal);
    if (response.headersSent) response.destroy();
    else {
      const body = Buffer.from(refusalBody(refusal));
      const headers = [...Object.entries(refusalHeaders(refusal)).flat(), 'content-length', String(body.length)];
      headers.push(...this.#options.corsHeaders(response.req.headers.origin));
      response.writeHead(statusOf(refusal), headers).end(body);
    }
    owner?.onClientGone();
  }
}

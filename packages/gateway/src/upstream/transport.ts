/**
 * How requests reach one target: the seam between choosing a target and carrying bytes to it.
 *
 * A transport knows one target and no policy: it opens connections, sends requests over them and reports the outcome of each.
 * Retries, time limits, health and verdicts belong to its caller, which sees no sockets. {@link ConnectionPool} implements it
 * for HTTP/1.1 over TCP and TLS.
 */
import type { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { HostAddresses } from './host-addresses.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHeaders } from './response-head.ts';

export interface Transport {
  /**
   * Sends a request over a connection that carries no other one, and opens one if none is idle. Never throws: `handler`
   * learns the outcome.
   */
  dispatch(request: UpstreamRequest, handler: UpstreamHandler, options?: DispatchOptions): void;
  /** Rejects new requests, and resolves when those in flight have ended. */
  close(): Promise<void>;
  /** Rejects new requests, and ends those in flight with `CLOSED`. */
  destroy(): Promise<void>;
}

export interface DispatchOptions {
  /** Over a connection that never carried a request. */
  readonly isFresh?: boolean;
  /** Opens a connection at once, before requests that wait for theirs. */
  readonly isUrgent?: boolean;
}

export interface TransportOptions {
  /** Scheme, host and port. */
  readonly url: string;
  /** The name that the certificate must have, and that the handshake carries. Default: the host of the URL. */
  readonly serverName?: string | undefined;
  readonly connectTimeoutMs: number;
  /** How long a connection stays open without a request; the target may ask for less. */
  readonly keepAliveMs: number;
  /** A connection older than this carries no further request. 0: whatever its age. */
  readonly maxAgeMs: number;
  /** Milliseconds, never going back. */
  readonly now: () => number;
}

/** Settings and facts that all transports of a gateway share. */
export interface TransportDefaults {
  /**
   * Certificates and authorities for TLS to targets. Called for each new connection, so that a renewed certificate needs no
   * new transport. Default: those of Node.
   */
  readonly secureContext?: () => SecureContext | undefined;
  /** Whether the gateway shows a certificate to targets that demand one. Default: it has none. */
  readonly hasCertificate?: () => boolean;
  /** Finds and follows the addresses of hosts. Default: Node looks a host up for each connection. */
  readonly hosts?: HostAddresses;
  /** Returns a random number from 0 up to 1. Default: `Math.random`. */
  readonly random?: () => number;
  /** Receives what a handler throws from `onResponseEnd` or `onResponseError`, after its request has ended. */
  readonly onFault?: (error: unknown) => void;
}

export type CreateTransport = (options: TransportOptions) => Transport;

export interface UpstreamRequest extends RequestHead {
  readonly body: Buffer | UploadBody | undefined;
}

/** A body that is still arriving. */
export interface UploadBody {
  readonly stream: Readable;
  /** `undefined` sends it in chunks (RFC 9112 §7.1). */
  readonly lengthBytes: number | undefined;
}

/**
 * The sender of a request. Exactly one of `onResponseEnd` and `onResponseError` is called, once and last, unless the handler
 * aborts. A handler that throws has a bug: its request ends with the error `FAULT`, which is no fault of the target.
 */
export interface UpstreamHandler {
  /** A connection is ready, and the request leaves now. `false` withdraws the request. */
  onRequestStart(control: UpstreamControl): boolean;
  onResponseStart(status: number, headers: ResponseHeaders): void;
  /** `false` pauses the response until `resume`; bytes that were read already still arrive. */
  onResponseData(chunk: Buffer): boolean;
  onResponseEnd(): void;
  /** Before `onRequestStart` nothing was sent. */
  onResponseError(error: Error): void;
  /** Part of an {@link UploadBody} was sent. */
  onUploadProgress?(): void;
}

/** Controls a request until its outcome. The facts about the connection stay readable afterwards. */
export interface UpstreamControl {
  /** The connection carried another request before. */
  readonly isReused: boolean;
  /** At least one byte of the response arrived. */
  readonly hasResponseBegun: boolean;
  resume(): void;
  /** Closes the connection; the handler is not called again. */
  abort(): void;
}

/**
 * Whether the target closed a keep-alive connection before it saw the request: it may do so at any time (RFC 9112 §9.5), so
 * nothing was executed as far as HTTP can tell, and the target is healthy. Ask when the request has failed.
 */
export function isStale({ isReused, hasResponseBegun }: UpstreamControl): boolean {
  return isReused && !hasResponseBegun;
}

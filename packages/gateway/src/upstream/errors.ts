/** Errors between the gateway and a target. */

/**
 * - `ECONNRESET`, `ETIMEDOUT` and `ENOTFOUND` mean what they mean for the operating system.
 * - `HANDSHAKE_CLOSED`: the target ended the connection during the TLS handshake.
 * - `BAD_RESPONSE`: the response is not valid HTTP/1.1.
 * - `BAD_REQUEST`: the request cannot be expressed in HTTP/1.1.
 * - `CLOSED`: the transport was closed.
 * - `FAULT`: the handler threw, which is a bug; `cause` is its error.
 */
export type UpstreamErrorCode =
  | 'ECONNRESET'
  | 'ETIMEDOUT'
  | 'ENOTFOUND'
  | 'HANDSHAKE_CLOSED'
  | 'BAD_RESPONSE'
  | 'BAD_REQUEST'
  | 'CLOSED'
  | 'FAULT';

export class UpstreamError extends Error {
  readonly code: UpstreamErrorCode;

  constructor(code: UpstreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UpstreamError';
    this.code = code;
  }
}

/** `what` names the violation. */
export function badResponse(what: string): UpstreamError {
  return new UpstreamError('BAD_RESPONSE', `the response is not HTTP/1.1: ${what}`);
}

/** What goes wrong between the gateway and a target. */

/**
 * `ECONNRESET` and `ETIMEDOUT` as the system's own; `BAD_RESPONSE`: the answer is not HTTP/1.1; `BAD_REQUEST`: the request
 * cannot be said in it; `CLOSED`: the pool takes no more; `FAULT`: the handler threw, which is a bug (`cause`).
 */
export type UpstreamErrorCode = 'ECONNRESET' | 'ETIMEDOUT' | 'BAD_RESPONSE' | 'BAD_REQUEST' | 'CLOSED' | 'FAULT';

export class UpstreamError extends Error {
  readonly code: UpstreamErrorCode;

  constructor(code: UpstreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UpstreamError';
    this.code = code;
  }
}

/** `what`: that the answer is not HTTP/1.1. */
export function badResponse(what: string): UpstreamError {
  return new UpstreamError('BAD_RESPONSE', `the answer is not HTTP/1.1: ${what}`);
}

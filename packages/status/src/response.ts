/** What the programs of operators have in common when they read the admin API of a gateway. */

/** Names in responses come from clients: they must not control the terminal. For `JSON.parse`. */
export function withoutControls(_: string, value: unknown): unknown {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removes control characters.
  return typeof value === 'string' ? value.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ') : value;
}

/** A sentence about a request that failed, which was sent with this time limit. */
export function noResponse(url: string, error: unknown, timeoutMs: number): string {
  return `No gateway responds at ${url} (${reasonOf(error, timeoutMs)}): is it running, and is this its admin address?`;
}

/** Errors of certificates that no known authority has signed (OpenSSL's `X509_V_ERR_…`). */
const OF_UNKNOWN_AUTHORITY = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** Why a request that was sent with this time limit has no response, in a few words. */
export function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no response within ${timeoutMs / 1_000} s`;
  const { code = '' } = (error.cause ?? error) as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (OF_UNKNOWN_AUTHORITY.has(code)) return 'its certificate is of an unknown authority: name it with --ca FILE';
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** Why a connection to a target failed, in words for error bodies, events and pages: without addresses, which stand beside it. */

/** Of an error of the system, of a connection of the gateway's own, or of undici's, which probes have. */
export function describeConnectionFailure(error: unknown): string {
  const { code, message, name, syscall } = error as NodeJS.ErrnoException;
  const lack = lackOf(error);
  if (lack !== undefined) return `the gateway has no ${lack} left`;
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
    case 'EPIPE':
      return 'connection closed';
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return 'no connection in time';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'host unreachable';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'host name not found';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another host';
  }
  // What the system and TLS say names hosts and ports.
  if (syscall !== undefined || (code !== undefined && !isOurWord(name)))
    return `connection failed (${code ?? syscall})`;
  return message || code || name || 'unknown failure';
}

/** What a connection takes of the gateway's machine, by the error when there is none. */
const LACKING: Readonly<Record<string, string>> = {
  EMFILE: 'file descriptor',
  ENFILE: 'file descriptor',
  EADDRNOTAVAIL: 'local port',
  ENOBUFS: 'memory for connections',
  ENOMEM: 'memory for connections',
};

/** Whether the gateway, or its machine, lacks what a connection takes: the target has no part in it. */
export function isGatewaysOwn(error: unknown): boolean {
  return lackOf(error) !== undefined;
}

function lackOf(error: unknown): string | undefined {
  const { code, cause, errors } = error as { code?: string; cause?: unknown; errors?: unknown[] };
  if (code !== undefined && code in LACKING) return LACKING[code];
  if (Array.isArray(errors) && errors.length > 0) return errors.map(lackOf).find((lack) => lack !== undefined);
  return cause === undefined || cause === null ? undefined : lackOf(cause);
}

/** Errors whose text is the gateway's own. */
function isOurWord(name: string): boolean {
  return name === 'UpstreamError' || name === 'BodyTooLargeError';
}

/** Why a connection to a target failed, in words for error bodies, events and pages: without addresses, which stand beside it. */

/** Of an error of the system, of a connection of the gateway's own, or of undici's, which probes have. */
export function describeConnectionFailure(error: unknown): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
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
    default:
      return message || code || name || 'unknown failure';
  }
}

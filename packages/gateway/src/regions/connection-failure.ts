/** Describes why a connection failed, for error bodies, events and pages. */
import { UpstreamError } from '../upstream/errors.ts';
import { describeTlsFailure, explainTlsFailure } from './tls-failure.ts';

/**
 * Describes an error of the system, of TLS, of the upstream client, or of undici, which the admin API uses. The text has no
 * addresses: it is for clients, too.
 */
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
      return error instanceof UpstreamError ? error.message : 'no connection in time';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'host unreachable';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'host name not found';
  }
  const ofTls = describeTlsFailure(error);
  if (ofTls !== undefined) return ofTls;
  // The messages of the system and of TLS contain hosts and ports.
  if (syscall !== undefined || (code !== undefined && !isOurWord(name)))
    return `connection failed (${code ?? syscall})`;
  return message || code || name || 'unknown failure';
}

/** {@link describeConnectionFailure} for operators: with the names in a certificate, and what may be the cause of an end. */
export function explainConnectionFailure(error: unknown): string {
  if (error instanceof UpstreamError && error.code === 'ECONNRESET') return error.message;
  return explainTlsFailure(error) ?? describeConnectionFailure(error);
}

/** Resources of the gateway's machine that a connection needs, by the error that reports their lack. */
const LACKING: Readonly<Record<string, string>> = {
  EMFILE: 'file descriptor',
  ENFILE: 'file descriptor',
  EADDRNOTAVAIL: 'local port',
  ENOBUFS: 'memory for connections',
  ENOMEM: 'memory for connections',
};

/** Whether the gateway's own machine lacks a resource for the connection, which is no fault of the target. */
export function isGatewaysOwn(error: unknown): boolean {
  return lackOf(error) !== undefined;
}

function lackOf(error: unknown): string | undefined {
  const { code, cause, errors } = error as { code?: string; cause?: unknown; errors?: unknown[] };
  if (code !== undefined && code in LACKING) return LACKING[code];
  if (Array.isArray(errors) && errors.length > 0) return errors.map(lackOf).find((lack) => lack !== undefined);
  return cause === undefined || cause === null ? undefined : lackOf(cause);
}

/** Whether the message of the error is the gateway's own text. */
function isOurWord(name: string): boolean {
  return name === 'UpstreamError' || name === 'BodyTooLargeError';
}

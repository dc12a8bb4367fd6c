/** Where a client finds its consumer: the request's own address, as the client saw it. */
import { BridgeError } from '../errors.ts';

export interface BaseUriRequest {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether the headers on where the client came from are believed. */
  isForwarded: boolean;
  /** Without query, still percent-encoded. */
  path: string;
  /** Of the connection. */
  scheme: 'http' | 'https';
}

const DEFAULT_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * The `base_uri` of a new consumer. Errors: `internal` for a host without port and a scheme without one.
 * Gateways append to these headers, so the first element is what the client used (RFC 7239 §4).
 */
export function baseUri({ headers, isForwarded: isBelieved, path, scheme }: BaseUriRequest, instance: string): string {
  const before = isBelieved ? headers : {};
  const forwarded = first(before['forwarded']);
  const origin =
    forwarded === undefined
      ? { host: firstElement(before['x-forwarded-host']), proto: firstElement(before['x-forwarded-proto']) }
      : parseForwarded(forwarded);
  const isForwarded = origin.host !== undefined && origin.proto !== undefined;
  const proto = isForwarded ? (origin.proto ?? scheme) : scheme;
  const host = isForwarded ? (origin.host ?? '') : (first(headers['host']) ?? '');
  const forwardedPath = first(before['x-forwarded-path']);
  const prefix = forwardedPath === undefined || forwardedPath === '' ? path : forwardedPath;
  return `${proto}://${withPort(host, proto)}${prefix}/instances/${instance}`;
}

function withPort(host: string, scheme: string): string {
  if (/:\d+$/.test(host)) return host;
  const port = DEFAULT_PORT[scheme.toLowerCase()];
  if (port === undefined) throw new BridgeError('internal', { message: `${scheme} is not a valid schema/proto.` });
  return `${host}:${port}`;
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function firstElement(header: string | string[] | undefined): string | undefined {
  const element = first(header)?.split(',')[0]?.trim();
  return element === '' ? undefined : element;
}

/** `host` and `proto` of the first element; values may be quoted (RFC 7239 §4). */
function parseForwarded(header: string): { host: string | undefined; proto: string | undefined } {
  const pairs = new Map<string, string>();
  const pattern = /\s*([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,\s"]*))\s*([;,]|$)/gy;
  for (const match of header.matchAll(pattern)) {
    const name = (match[1] ?? '').toLowerCase();
    const value = match[2]?.replaceAll(/\\(.)/g, '$1') ?? match[3] ?? '';
    if (!pairs.has(name) && value !== '') pairs.set(name, value);
    if (match[4] === ',') break;
  }
  return { host: pairs.get('host'), proto: pairs.get('proto') };
}

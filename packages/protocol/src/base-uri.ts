/** The `base_uri` of a consumer: the address that the client used, as reported by trusted headers. */
import { instancePath } from './paths.ts';

export interface BaseUriRequest {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The host of the request, `host` or `host:port`; used where no trusted header names another. */
  host: string;
  /** Whether `Forwarded` and `X-Forwarded-*` are trusted. */
  isForwarded: boolean;
  /** The scheme of the connection. */
  scheme: 'http' | 'https';
}

export interface Origin {
  proto: string;
  /** With its port, if known. */
  host: string;
}

const DEFAULT_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** The `base_uri` of a new consumer, with every segment percent-encoded. Errors: {@link UnknownSchemeError}. */
export function baseUri(request: BaseUriRequest, { group, name }: { group: string; name: string }): string {
  const { proto, host } = originOf(request);
  return `${proto}://${withPort(host, proto)}${pathOf(request, { group, name })}`;
}

/** The host has no port, and the scheme has no known default port. */
export class UnknownSchemeError extends Error {
  constructor(scheme: string) {
    super(`${scheme} is not a valid schema/proto.`);
    this.name = 'UnknownSchemeError';
  }
}

/** The address that the client used. Proxies append to these headers, so the first element is the client's (RFC 7239 §4). */
export function originOf(request: BaseUriRequest): Origin {
  return (request.isForwarded ? forwardedOrigin(request) : undefined) ?? { proto: request.scheme, host: request.host };
}

/** From `Forwarded`, or from the older headers; `undefined` if neither names the scheme. */
function forwardedOrigin({ headers, host: ownHost }: Pick<BaseUriRequest, 'headers' | 'host'>): Origin | undefined {
  const forwarded = first(headers['forwarded']);
  if (forwarded !== undefined) {
    const { host, proto } = parseForwarded(forwarded);
    return host === undefined || proto === undefined ? undefined : { host, proto };
  }
  return olderOrigin(headers, ownHost);
}

/** From `X-Forwarded-Proto`, `-Host` and `-Port`. AWS's load balancer keeps `Host` and sends no `-Host`. */
export function olderOrigin(headers: BaseUriRequest['headers'], ownHost: string): Origin | undefined {
  const proto = firstElement(headers['x-forwarded-proto']);
  if (proto === undefined) return undefined;
  const host = firstElement(headers['x-forwarded-host']) ?? ownHost;
  const port = firstElement(headers['x-forwarded-port']);
  return { proto, host: port !== undefined && /^\d{1,5}$/.test(port) && !hasPort(host) ? `${host}:${port}` : host };
}

function pathOf({ headers, isForwarded }: BaseUriRequest, { group, name }: { group: string; name: string }): string {
  const own = instancePath(group, name);
  if (!isForwarded) return own;
  const path = first(headers['x-forwarded-path']);
  // The proxy sends the path to the group as it received it.
  if (path !== undefined && path !== '') return `${trimmed(path)}/instances/${encodeURIComponent(name)}`;
  return `${trimmed(firstElement(headers['x-forwarded-prefix']) ?? '')}${own}`;
}

/** With a leading slash and without a trailing one; empty for the root. */
function trimmed(path: string): string {
  const text = path.replace(/^\/+/, '').replace(/\/+$/, '');
  return text === '' ? '' : `/${text}`;
}

function withPort(host: string, scheme: string): string {
  if (hasPort(host)) return host;
  const port = DEFAULT_PORT[scheme.toLowerCase()];
  if (port === undefined) throw new UnknownSchemeError(scheme);
  return `${host}:${port}`;
}

function hasPort(host: string): boolean {
  return /:\d+$/.test(host) && (!host.startsWith('[') || /\]:\d+$/.test(host));
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function firstElement(header: string | string[] | undefined): string | undefined {
  const element = first(header)?.split(',')[0]?.trim();
  return element === '' ? undefined : element;
}

/** `host` and `proto` of the first element. Values may be quoted (RFC 7239 §4). */
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

/** Bytes of a consumer's path, percent-encoded. The rest of a URL's 4096 bytes (by default) is for the operation and query. */
const MAX_PATH_BYTES = 3584;

/** Why no URL can name the consumer; `undefined` if one can. */
export function nameProblem({ group, name }: { group: string; name: string }): string | undefined {
  if (name === '') return 'must not be empty';
  // Clients and servers resolve them as directories, percent-encoded or not (WHATWG URL).
  if (name === '.' || name === '..') return `must not be ${JSON.stringify(name)}, which means another path in a URL`;
  if (!name.isWellFormed()) return 'must be well-formed Unicode';
  const bytes = instancePath(group, name).length;
  if (bytes <= MAX_PATH_BYTES) return undefined;
  return `is too long: its path would have ${bytes} bytes, percent-encoded, more than the limit of ${MAX_PATH_BYTES}`;
}

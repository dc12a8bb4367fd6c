/** The headers that describe where a request comes from: `Via`, `Forwarded` (RFC 7239), `X-Forwarded-*`, `causeway-gateway`. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv6 } from 'node:net';
import type { Trust } from '@causeway/config/trust.ts';
import { olderOrigin } from '@causeway/protocol/base-uri.ts';
import { TOKEN } from '@causeway/protocol/http-grammar.ts';
import { GATEWAY_HEADER } from '@causeway/protocol/routing.ts';
import type { ClientPeer } from './client-peer.ts';
import type { Identity } from './identity.ts';

/** The headers that this gateway writes itself, as a continuation of the received ones. */
export const FORWARDING: ReadonlySet<string> = new Set([
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  GATEWAY_HEADER,
]);

/** The sender of a request, and the gateway that passes it on. */
export interface Passage {
  peer: ClientPeer;
  trust: Trust;
  identity: Identity;
}

/** For a request that arrives without such headers: the same for all requests of a connection to one host. */
export function firstForwardingHeaders(host: string, passage: Passage): readonly string[] {
  const { peer, identity } = passage;
  const known = peer.forwarding;
  if (known?.host === host && known.identity === identity) return known.headers;
  const headers = forwardingHeaders({ host }, passage);
  peer.forwarding = { host, identity, headers };
  return headers;
}

export function forwardingHeaders(headers: IncomingHttpHeaders, { peer, trust, identity }: Passage): string[] {
  const host = headers.host ?? '';
  const before = trust === 'client' ? NO_HEADERS : headers;
  const gateways = trust === 'gateway' ? headers[GATEWAY_HEADER] : undefined;
  const element = `for=${quoteNode(peer.address)};host=${quoteIfNeeded(host)};proto=${peer.scheme}`;
  return [
    ...['via', append(headers.via, peer.protocol === 'h2' ? identity.requestViaHttp2 : identity.requestVia)],
    ...['forwarded', append(before.forwarded ?? forwardedBefore(before, host), element)],
    ...['x-forwarded-for', clientsAndProxies(before['x-forwarded-for'], peer, trust)],
    ...['x-forwarded-host', first(before['x-forwarded-host']) ?? host],
    ...['x-forwarded-proto', first(before['x-forwarded-proto']) ?? peer.scheme],
    ...[GATEWAY_HEADER, append(gateways, identity.entry)],
    ...identity.proof,
  ];
}

const NO_HEADERS: IncomingHttpHeaders = {};

/**
 * The list with the address of the peer. Not of a gateway that is known by its certificate: those behind know no addresses of
 * gateways, and would take it for the client's.
 */
function clientsAndProxies(
  before: string | string[] | undefined,
  { address, identity }: ClientPeer,
  trust: Trust,
): string {
  const isUnlisted = trust === 'gateway' && identity !== undefined && before !== undefined && before.length > 0;
  if (!isUnlisted) return append(before, address);
  return Array.isArray(before) ? before.join(', ') : before;
}

/** The `X-Forwarded-*` headers of a proxy, as elements of `Forwarded`. First in the list, or its host would count as the client's (RFC 7239 §7.4). */
function forwardedBefore(headers: IncomingHttpHeaders, ownHost: string): string | undefined {
  const origin = olderOrigin(headers, ownHost);
  if (origin === undefined) return undefined;
  const { host, proto } = origin;
  const [client, ...proxies] = elementsOf(headers['x-forwarded-for']).map(
    (node) => `for=${quoteIfNeeded(quotable(node))}`,
  );
  const forClient = client === undefined ? '' : `${client};`;
  return [`${forClient}host=${quoteIfNeeded(host)};proto=${quoteIfNeeded(proto)}`, ...proxies].join(', ');
}

/** Continues a list. */
export function append(before: string | string[] | undefined, value: string): string {
  if (before === undefined || before.length === 0) return value;
  return `${Array.isArray(before) ? before.join(', ') : before}, ${value}`;
}

export function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function elementsOf(value: string | string[] | undefined): string[] {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text.split(',').flatMap((element) => element.trim() || []);
}

/** IPv6 in brackets (RFC 7239 §6). */
function quotable(node: string): string {
  return isIPv6(node) ? `[${node}]` : node;
}

/** A node identifier (RFC 7239 §6): IPv6 in brackets and quotes. */
function quoteNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}

/** A token as it is, anything else (`host:port`) as a quoted-string (RFC 7239 §4). */
function quoteIfNeeded(value: string): string {
  return TOKEN.test(value) ? value : `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** Which headers go to the target and which come back: RFC 9110 §7.6, RFC 7239, and our own. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv6 } from 'node:net';
import type { Trust } from '@causeway/config/trust.ts';
import { olderOrigin } from '@causeway/protocol/base-uri.ts';
import { TOKEN } from '@causeway/protocol/http-grammar.ts';
import {
  CAUSEWAY_PREFIX,
  FAILED_HEADER,
  formatHop,
  GATEWAY_HEADER,
  type GatewayHop,
  parseHops,
  RELEASE_HEADER,
  SECRET_HEADER,
  SUSPECT_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Peer } from '../listen/peer.ts';

/** What the gateway says about itself in headers; made once, and anew for another secret. */
export interface Identity {
  readonly hop: GatewayHop;
  /** Entry of `causeway-gateway`. */
  readonly entry: string;
  /** Entry of `Via` on answers: `/` is not part of a pseudonym (RFC 9110 §7.6.3). */
  readonly via: string;
  /** Entry of `Via` on requests: with what tells this process from all others. */
  readonly requestVia: string;
  /** The part of it that no client can know. */
  readonly instance: string | undefined;
  /** What targets are shown; none where the system has no secret. */
  readonly proof: readonly string[];
}

export function identityOf(
  hop: GatewayHop,
  { secret, instance }: { secret?: string | undefined; instance?: string } = {},
): Identity {
  const via = `1.1 ${hop.region === undefined ? hop.name : `${hop.region}-${hop.name}`}`;
  return {
    hop,
    via,
    instance,
    requestVia: instance === undefined ? via : `${via}.${instance}`,
    proof: secret === undefined || secret === '' ? [] : [SECRET_HEADER, secret],
    entry: formatHop(hop),
  };
}

/** What this gateway says about where the request comes from, continuing what is there. */
const WRITTEN_ANEW: ReadonlySet<string> = new Set([
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  GATEWAY_HEADER,
]);

/** Connection-level headers (RFC 9110 §7.6.1), and those that this gateway writes anew. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  // The gateway has read the body: it answers for its length, and for 100 Continue.
  'content-length',
  'expect',
  // What a consumer's request says of its owner is written for each attempt.
  FAILED_HEADER,
  RELEASE_HEADER,
  // What a sender shows is not for the next one to know.
  SECRET_HEADER,
  SUSPECT_HEADER,
  ...WRITTEN_ANEW,
]);

const RESPONSE_NOT_PASSED_ON: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  // Of what is sent on, which may not be what came.
  'content-length',
]);

/** Who sent a request, and who passes it on. */
export interface Passage {
  peer: Peer;
  trust: Trust;
  identity: Identity;
}

/** The request's headers for the target, as a flat list of names and values. `Host` stays the client's. */
export function requestHeaders(headers: IncomingHttpHeaders, passage: Passage): string[] {
  const { trust } = passage;
  const listed = connectionOptions(headers.connection);
  const result: string[] = [];
  // Who forwarded it before, as far as that is believed.
  let isForwarded = false;
  for (const name in headers) {
    if (NOT_PASSED_ON.has(name) || listed?.has(name)) {
      isForwarded ||= WRITTEN_ANEW.has(name);
      continue;
    }
    if (trust !== 'gateway' && name.startsWith(CAUSEWAY_PREFIX)) continue;
    if (trust === 'client' && name.startsWith('x-forwarded-')) continue;
    const value = headers[name];
    if (typeof value === 'string') result.push(name, value);
    else if (value !== undefined) for (const item of value) result.push(name, item);
  }
  const forwarding = isForwarded
    ? forwardingHeaders(headers, passage)
    : firstForwardingHeaders(headers.host ?? '', passage);
  for (const text of forwarding) result.push(text);
  return result;
}

/** The headers of a request that nobody forwarded before: the same for all requests of a connection to one host. */
function firstForwardingHeaders(host: string, passage: Passage): readonly string[] {
  const { peer, identity } = passage;
  const known = peer.forwarding;
  if (known?.host === host && known.identity === identity) return known.headers;
  const headers = forwardingHeaders({ host }, passage);
  peer.forwarding = { host, identity, headers };
  return headers;
}

function forwardingHeaders(headers: IncomingHttpHeaders, { peer, trust, identity }: Passage): string[] {
  const host = headers.host ?? '';
  const before = trust === 'client' ? NO_HEADERS : headers;
  const gateways = trust === 'gateway' ? headers[GATEWAY_HEADER] : undefined;
  const element = `for=${quoteNode(peer.address)};host=${quoteIfNeeded(host)};proto=http`;
  return [
    ...['via', append(headers.via, identity.requestVia)],
    ...['forwarded', append(before.forwarded ?? forwardedBefore(before, host), element)],
    ...['x-forwarded-for', append(before['x-forwarded-for'], peer.address)],
    ...['x-forwarded-host', first(before['x-forwarded-host']) ?? host],
    ...['x-forwarded-proto', first(before['x-forwarded-proto']) ?? 'http'],
    ...[GATEWAY_HEADER, append(gateways, identity.entry)],
    ...identity.proof,
  ];
}

const NO_HEADERS: IncomingHttpHeaders = {};

/** What a proxy in front said in the older headers: it stands first, or its host would be taken for the client's (RFC 7239 §7.4). */
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

/** Whether another region's gateway has sent the request here: then it stays. */
export function hasCrossedRegions(headers: IncomingHttpHeaders, { hop }: Identity): boolean {
  if (hop.region === undefined) return false;
  const header = headers[GATEWAY_HEADER];
  if (header === undefined) return false;
  const text = Array.isArray(header) ? header.join(',') : header;
  return parseHops(text).some(({ region }) => region !== undefined && region !== hop.region);
}

/** A request passes no more gateways than these: tier-1, a region's, another region's, and one to spare. */
export const MAX_HOPS = 4;

/** Why a request goes round in a circle, in words; `undefined` when it does not. A client can bring neither about. */
export function whyLooping(
  headers: IncomingHttpHeaders,
  { isFromGateway, identity }: { isFromGateway: boolean; identity: Identity },
): string | undefined {
  if (identity.instance !== undefined && headers.via?.includes(identity.instance) === true) {
    return `it has passed gateway ${identity.entry} before`;
  }
  const gateways = isFromGateway ? String(headers[GATEWAY_HEADER]).split(',') : [];
  return gateways.length < MAX_HOPS ? undefined : `it has passed ${MAX_HOPS} gateways, as many as it may`;
}

/** The answer's headers for the client, as a flat list. Our own stay between gateways. */
export function responseHeaders(
  headers: Record<string, string | string[] | undefined>,
  options: { isPeerGateway: boolean; identity: Identity },
): string[] {
  const listed = connectionOptions(first(headers['connection']));
  const result: string[] = [];
  for (const name in headers) {
    if (RESPONSE_NOT_PASSED_ON.has(name) || listed?.has(name)) continue;
    if (!options.isPeerGateway && name.startsWith(CAUSEWAY_PREFIX)) continue;
    const value = headers[name];
    if (typeof value === 'string') result.push(name, value);
    else if (value !== undefined) for (const item of value) result.push(name, item);
  }
  result.push('via', append(headers['via'], options.identity.via));
  return result;
}

/** The headers that `Connection` names as belonging to this connection. */
function connectionOptions(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}

function append(before: string | string[] | undefined, value: string): string {
  if (before === undefined || before.length === 0) return value;
  return `${Array.isArray(before) ? before.join(', ') : before}, ${value}`;
}

function first(value: string | string[] | undefined): string | undefined {
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

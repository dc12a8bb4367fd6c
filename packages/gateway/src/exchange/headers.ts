/** Which headers go to the target and which come back (RFC 9110 §7.6). */
import type { IncomingHttpHeaders } from 'node:http';
import {
  CAUSEWAY_PREFIX,
  FAILED_HEADER,
  RELEASE_HEADER,
  SECRET_HEADER,
  SUSPECT_HEADER,
} from '@causeway/protocol/routing.ts';
import { append, first, firstForwardingHeaders, forwardingHeaders, type Passage, WRITTEN_ANEW } from './forwarding.ts';
import type { Identity } from './identity.ts';

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

/** Which headers of a request go to the target, and which of a response to the client (RFC 9110 §7.6). */
import type { IncomingHttpHeaders } from 'node:http';
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { IDEMPOTENCY_KEY_HEADER } from '@causeway/protocol/idempotency.ts';
import {
  CAUSEWAY_PREFIX,
  FAILED_HEADER,
  MAX_RESPONSE_BYTES_HEADER,
  RELEASE_HEADER,
  SECRET_HEADER,
  SUSPECT_HEADER,
} from '@causeway/protocol/routing.ts';
import type { Admitted } from './admission.ts';
import { append, FORWARDING, first, firstForwardingHeaders, forwardingHeaders, type Passage } from './forwarding.ts';
import type { Identity } from './identity.ts';

/** Connection-level headers (RFC 9110 §7.6.1), and those that this gateway writes itself. */
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
  // The gateway has read the body: the length and 100 Continue are its own.
  'content-length',
  'expect',
  // Written for each attempt, or for the request.
  FAILED_HEADER,
  RELEASE_HEADER,
  MAX_RESPONSE_BYTES_HEADER,
  PROMOTION_HEADER,
  // The sender's proof is only for this gateway.
  SECRET_HEADER,
  SUSPECT_HEADER,
  ...FORWARDING,
  // Pseudo-headers of HTTP/2 (RFC 9113 §8.3): method, path and host say the same.
  ':method',
  ':path',
  ':scheme',
  ':authority',
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
  // The body that is sent may differ from the one received.
  'content-length',
]);

/** The request's headers for the target, as a flat list of names and values. `Host` stays the client's. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  passage: Passage,
  admitted?: Pick<Admitted, 'headers' | 'withheld'> | undefined,
): string[] {
  const { trust } = passage;
  const withheld = admitted?.withheld;
  const listed = connectionOptions(headers.connection);
  const result: string[] = [];
  // It arrived with headers of another proxy.
  let isForwarded = false;
  for (const name in headers) {
    if (NOT_PASSED_ON.has(name) || listed?.has(name)) {
      isForwarded ||= FORWARDING.has(name);
      continue;
    }
    if (trust !== 'gateway' && name.startsWith(CAUSEWAY_PREFIX)) continue;
    if (withheld?.has(name) === true) continue;
    if (trust === 'client' && name.startsWith('x-forwarded-')) continue;
    const value = headers[name];
    if (typeof value === 'string') result.push(name, value);
    else if (value !== undefined) for (const item of value) result.push(name, item);
  }
  const forwarding = isForwarded
    ? forwardingHeaders(headers, passage)
    : firstForwardingHeaders(headers.host ?? '', passage);
  for (const text of forwarding) result.push(text);
  if (admitted !== undefined) for (const text of admitted.headers) result.push(text);
  return result;
}

/** The response's headers for the client, as a flat list. Those of Causeway stay between gateways. */
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

/** The headers that `Connection` lists. */
function connectionOptions(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  const options = new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
  // It is for every recipient (RFC 9110 §7.6.1): a client must not replace it by the target's.
  options.delete('host');
  // Routed and repeated by it: it must not be dropped.
  options.delete(IDEMPOTENCY_KEY_HEADER);
  return options;
}

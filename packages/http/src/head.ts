/** Checks the head of a request: its version, sizes, target, host and transfer coding (RFC 9112 §2.3, §3, §6). */
import { isPlainlyFramed } from '@causeway/protocol/http-grammar.ts';
import { MAX_TOPIC_FILTER_BYTES } from '@causeway/protocol/topic-filter.ts';
import type { Check } from './admission.ts';
import { hostProblem, reachedHost, withoutEmptyPort } from './host.ts';
import type { RequestHead } from './message.ts';
import {
  type HeadLimits,
  headersTooLarge,
  malformed,
  type Refusal,
  TRANSFER_CODING_UNSUPPORTED,
  urlTooLong,
  versionNotSupported,
} from './refusal.ts';

/** How a request came: four gateways, with a host of 255 characters; and its principal. */
const ORIGIN_BYTES = 9_216;
/**
 * What gateways may add to a request. A server's parser accepts so many bytes beyond `maxHeaderBytes`; the checks here count only
 * what the client wrote.
 */
export const FORWARDING_BYTES = ORIGIN_BYTES + MAX_TOPIC_FILTER_BYTES;

/**
 * Headers that gateways write; they do not count against the client's limit. Nor do the pseudo-headers of HTTP/2 without their own
 * place in a head of HTTP/1.1: the path counts as the URL.
 */
const NOT_COUNTED =
  /^(?:via|forwarded|x-forwarded-(?:for|host|proto|port|prefix)|causeway-.*|traceparent|tracestate|x-request-id|:method|:scheme|:path)$/i;

const HTTPS_PORT = 443;
const MISSING_HOST = 'The request has no Host header; HTTP/1.1 requires one.';

/**
 * The checks of a head, in order. A request that passes them has a path with its query as `url`, or `*` of OPTIONS, and as
 * `headers.host` the host that the client means: a URL's own authority takes precedence over `Host` (RFC 9112 §3.2.2).
 */
export function headChecks(limits: HeadLimits): readonly Check[] {
  return [version, (request) => examineSizes(request, limits), target, escapes, host];
}

/** Chunked is the only transfer coding, and without it last a body has no end that servers agree on (RFC 9112 §6.1, §6.3). */
export function transferCoding({ headers }: RequestHead): Refusal | undefined {
  if (isPlainlyFramed(headers)) return undefined;
  const isChunkedLast = /(?:^|[,\s])chunked$/i.test(headers['transfer-encoding'] ?? '');
  return isChunkedLast
    ? TRANSFER_CODING_UNSUPPORTED
    : malformed('The last transfer coding of a request must be chunked.');
}

function version({ httpVersionMajor, httpVersion }: RequestHead): Refusal | undefined {
  return httpVersionMajor === 1 ? undefined : versionNotSupported(httpVersion);
}

/** The limits of the head, and the number of its hosts: both read all headers. */
export function examineSizes({ rawHeaders, url = '/' }: RequestHead, limits: HeadLimits): Refusal | undefined {
  if (url.length > limits.maxUrlBytes) return urlTooLong(limits);
  let bytes = url.length;
  let hostCount = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    bytes += name.length + (rawHeaders[index + 1] as string).length;
    if (name.length === 4 && (name === 'Host' || name.toLowerCase() === 'host')) hostCount += 1;
  }
  if (bytes > limits.maxHeaderBytes && ownBytes(rawHeaders, url) > limits.maxHeaderBytes)
    return headersTooLarge(limits);
  return hostCount > 1 ? malformed('The request has more than one Host header.') : undefined;
}

/** The bytes of the request target and of the headers that gateways do not write. */
function ownBytes(rawHeaders: readonly string[], url: string): number {
  let bytes = url.length;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (!NOT_COUNTED.test(name)) bytes += name.length + (rawHeaders[index + 1] as string).length;
  }
  return bytes;
}

function target(request: RequestHead): Refusal | undefined {
  const { headers, method, url = '/' } = request;
  if (url.startsWith('/')) return undefined;
  if (url === '*') {
    return method === 'OPTIONS'
      ? undefined
      : malformed(`The request target * is for OPTIONS alone, not for ${method}.`);
  }
  const match = /^(https?):\/\/([^/?#]*)(.*)$/is.exec(url);
  if (match === null) return malformed('The request target must be a path, or an http or https URL.');
  const [, scheme = '', authority = '', rest = ''] = match;
  const problem = hostProblem(authority);
  if (problem !== undefined) return malformed(`The host of the request target is invalid: ${problem}.`);
  if (headers.host === undefined && request.httpVersionMinor > 0) return malformed(MISSING_HOST);
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  headers.host = withPortOf(scheme, authority);
  return undefined;
}

/** `https` in a request to a plain listener: a proxy terminated TLS, and the port is not the one of `http`. */
function withPortOf(scheme: string, authority: string): string {
  const host = withoutEmptyPort(authority);
  if (/:\d+$/.test(host) || scheme.toLowerCase() === 'http') return host;
  return `${host}:${HTTPS_PORT}`;
}

export function escapes({ url = '/' }: RequestHead): Refusal | undefined {
  if (url.includes('#')) return malformed('The URL has a #, which must be written as %23.');
  if (!url.includes('%')) return undefined;
  try {
    decodeURIComponent(url);
    return undefined;
  } catch {
    const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(url)?.[0];
    return malformed(
      bad === undefined
        ? 'The URL has percent-encoded bytes that are not UTF-8.'
        : `The URL has an invalid percent-encoding: ${bad}; write a percent sign as %25.`,
    );
  }
}

function host(request: RequestHead): Refusal | undefined {
  const { headers, socket } = request;
  const named = headers.host;
  if (named === undefined || (named === '' && request.httpVersionMinor === 0)) {
    if (request.httpVersionMinor > 0) return malformed(MISSING_HOST);
    // The address that the client reached, also for the gateways and bridges behind this server.
    headers.host = reachedHost(socket);
    return undefined;
  }
  if (named === '' && request.url === '*') return undefined;
  const problem = hostProblem(named);
  if (problem !== undefined) return malformed(`The Host header is invalid: ${problem}.`);
  headers.host = withoutEmptyPort(named);
  return undefined;
}

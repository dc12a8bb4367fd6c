/** The head of a request, before it means anything: its version, sizes, target and host (RFC 9112 §2.3, §3). */
import type { IncomingMessage } from 'node:http';
import { hostProblem, reachedHost, withoutEmptyPort } from './host.ts';
import {
  type HeadLimits,
  headersTooLarge,
  malformed,
  type Refusal,
  urlTooLong,
  versionNotSupported,
} from './refusal.ts';

/**
 * What gateways on the way may add to a request: four of them, with a host of 255 characters. A server's parser takes so
 * much beyond `maxHeaderBytes`, and what clients write counts here.
 */
export const FORWARDING_BYTES = 8_192;

/** Headers that gateways write, which count as theirs and not as the client's. */
const FORWARDING =
  /^(?:via|forwarded|x-forwarded-(?:for|host|proto|port|prefix)|causeway-.*|traceparent|tracestate|x-request-id)$/i;

const HTTPS_PORT = 443;
const MISSING_HOST = 'The request has no Host header; HTTP/1.1 requires one.';

/**
 * What is wrong with the head; `undefined`: nothing. Then `url` is a path with its query, or `*` of OPTIONS, and
 * `headers.host` the host that the client means: a URL's own authority wins over `Host` (RFC 9112 §3.2.2).
 */
export function examineHead(request: IncomingMessage, limits: HeadLimits): Refusal | undefined {
  if (request.httpVersionMajor !== 1) return versionNotSupported(request.httpVersion);
  const { rawHeaders, url = '/' } = request;
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
  if (hostCount > 1) return malformed('The request has more than one Host header.');
  return examineTarget(request, url) ?? examineHost(request);
}

/** Of the request target and the headers that no gateway writes. */
function ownBytes(rawHeaders: readonly string[], url: string): number {
  let bytes = url.length;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (!FORWARDING.test(name)) bytes += name.length + (rawHeaders[index + 1] as string).length;
  }
  return bytes;
}

function examineTarget(request: IncomingMessage, url: string): Refusal | undefined {
  const { headers, method } = request;
  if (!url.startsWith('/')) {
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
  }
  return examineEscapes(request.url ?? '/');
}

/** `https` to a plain listener is what a gateway's TLS leaves: its port is not the one of `http`. */
function withPortOf(scheme: string, authority: string): string {
  const host = withoutEmptyPort(authority);
  if (/:\d+$/.test(host) || scheme.toLowerCase() === 'http') return host;
  return `${host}:${HTTPS_PORT}`;
}

function examineEscapes(target: string): Refusal | undefined {
  if (target.includes('#')) return malformed('The URL has a #, which must be written as %23.');
  if (!target.includes('%')) return undefined;
  try {
    decodeURIComponent(target);
    return undefined;
  } catch {
    const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(target)?.[0];
    return malformed(
      bad === undefined
        ? 'The URL has percent-encoded bytes that are not UTF-8.'
        : `The URL has an invalid percent-encoding: ${bad}; write a percent sign as %25.`,
    );
  }
}

function examineHost(request: IncomingMessage): Refusal | undefined {
  const { headers, socket } = request;
  const { host } = headers;
  if (host === undefined || (host === '' && request.httpVersionMinor === 0)) {
    if (request.httpVersionMinor > 0) return malformed(MISSING_HOST);
    // As the client came here, also when gateways pass it on.
    headers.host = reachedHost(socket);
    return undefined;
  }
  if (host === '' && request.url === '*') return undefined;
  const problem = hostProblem(host);
  if (problem !== undefined) return malformed(`The Host header is invalid: ${problem}.`);
  headers.host = withoutEmptyPort(host);
  return undefined;
}

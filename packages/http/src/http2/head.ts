/** Checks the head of a request of HTTP/2 (RFC 9113 §8.3), after Node has refused malformed ones with a reset (§8.1.1). */
import type { Check } from '../admission.ts';
import { escapes, examineSizes } from '../head.ts';
import { hostProblem, withoutEmptyPort } from '../host.ts';
import type { RequestHead } from '../message.ts';
import { type HeadLimits, malformed, methodNotImplemented, type Refusal } from '../refusal.ts';

/**
 * As `headChecks` of HTTP/1.1: a request that passes them has a path with its query as `url`, or `*` of OPTIONS, and as
 * `headers.host` the host that the client means.
 */
export function http2HeadChecks(limits: HeadLimits): readonly Check[] {
  return [method, scheme, (request) => examineSizes(request, limits), target, escapes, host];
}

/** The API has no tunnels. */
function method({ method: name }: RequestHead): Refusal | undefined {
  return name === 'CONNECT' ? methodNotImplemented(name) : undefined;
}

/** A proxy in front may have terminated TLS: both schemes are valid on every listener. */
function scheme({ headers }: RequestHead): Refusal | undefined {
  const name = headers[':scheme'];
  return name === 'http' || name === 'https' ? undefined : malformed('The :scheme must be http or https.');
}

function target({ method: name, url = '' }: RequestHead): Refusal | undefined {
  if (url.startsWith('/') || (url === '*' && name === 'OPTIONS')) return undefined;
  return malformed('The :path must begin with a slash.');
}

/** `:authority` takes precedence over `Host`, and must not differ from it (RFC 9113 §8.3.1). */
function host({ headers, url }: RequestHead): Refusal | undefined {
  const authority = headers[':authority'] as string | undefined;
  const named = authority ?? headers.host;
  if (named === undefined) return malformed('The request has neither :authority nor a Host header.');
  if (named === '' && url === '*') return undefined;
  const problem = hostProblem(named);
  if (problem !== undefined)
    return malformed(`The ${authority === undefined ? 'Host header' : ':authority'} is invalid: ${problem}.`);
  const meant = withoutEmptyPort(named);
  if (authority !== undefined && headers.host !== undefined && !isSameHost(meant, headers.host)) {
    return malformed('The Host header differs from :authority.');
  }
  headers.host = meant;
  return undefined;
}

function isSameHost(meant: string, other: string): boolean {
  return meant.toLowerCase() === withoutEmptyPort(other).toLowerCase();
}

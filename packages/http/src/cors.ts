/** Which pages of other origins may use the API (https://fetch.spec.whatwg.org/#http-cors-protocol). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CorsConfig } from '@causeway/config/cors.ts';
import { isOrigin, originPattern } from '@causeway/config/origins.ts';
import { isManagement } from '@causeway/protocol/operations/table.ts';
import { parseUrl } from '@causeway/protocol/paths.ts';
import type { RequestHead } from './message.ts';

export const REJECTED = 'CORS Rejected - Invalid origin';
/** The decision on an origin. */
export type OriginVerdict = 'none' | 'allowed' | 'rejected';
/** The decision on a request: `passOn` gets an ordinary response, with {@link Cors.headersFor}. */
export type CorsDecision = 'passOn' | 'preflight' | 'rejected';

export class Cors {
  readonly #isForAll: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #patterns: readonly RegExp[];
  readonly #exposed: string;
  /** Headers of the response to a preflight, besides {@link headersFor}: names and values in turn. */
  readonly preflightHeaders: readonly string[];

  constructor(config: Omit<CorsConfig, 'isEnabled'>) {
    const { allowedOrigins, allowedMethods, allowedHeaders, exposedHeaders, maxAgeSeconds } = config;
    this.#isForAll = allowedOrigins.includes('*');
    this.#origins = new Set(allowedOrigins);
    this.#patterns = allowedOrigins.flatMap((entry) => originPattern(entry) ?? []);
    this.#exposed = exposedHeaders.join(',');
    this.preflightHeaders = [
      ...['access-control-allow-methods', allowedMethods.join(',')],
      ...['access-control-allow-headers', allowedHeaders.join(',')],
      ...['access-control-max-age', String(maxAgeSeconds)],
    ];
  }

  judge(origin: string | undefined): OriginVerdict {
    if (origin === undefined) return 'none';
    if (!isOrigin(origin)) return 'rejected';
    const isAllowed =
      this.#isForAll || this.#origins.has(origin) || this.#patterns.some((pattern) => pattern.test(origin));
    return isAllowed ? 'allowed' : 'rejected';
  }

  decide({ url = '/', method, headers }: RequestHead): CorsDecision {
    if (isForOperators(url)) return 'passOn';
    const verdict = this.judge(headers.origin);
    if (verdict === 'rejected') return 'rejected';
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    return verdict === 'allowed' && isPreflight ? 'preflight' : 'passOn';
  }

  /** Headers of every response to this request: names and values in turn. */
  headersFor({ url = '/', headers: { origin } }: Pick<RequestHead, 'url' | 'headers'>): string[] {
    if (isForOperators(url)) return [];
    const result = this.#isForAll ? [] : ['vary', 'origin'];
    if (origin === undefined || this.judge(origin) === 'rejected') return result;
    result.push('access-control-allow-origin', this.#isForAll ? '*' : origin);
    if (this.#exposed !== '') result.push('access-control-expose-headers', this.#exposed);
    return result;
  }

  /** Responds to preflights and rejected origins, and returns true; sets headers on every other response. */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    const decision = this.decide(request);
    if (decision === 'rejected') {
      response.writeHead(403, REJECTED, { 'content-length': REJECTED.length }).end(REJECTED);
      return true;
    }
    setHeaders(response, this.headersFor(request));
    if (decision === 'passOn') return false;
    response.removeHeader('access-control-expose-headers');
    setHeaders(response, this.preflightHeaders);
    response.writeHead(204).end();
    return true;
  }
}

function setHeaders(response: ServerResponse, headers: readonly string[]): void {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    response.setHeader(headers[index] as string, headers[index + 1] as string);
  }
}

/** Health and metrics are not part of the API, even on its port. */
function isForOperators(url: string): boolean {
  return isManagement(parseUrl('GET', url).operation);
}

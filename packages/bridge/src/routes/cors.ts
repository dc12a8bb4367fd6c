/** Which pages of other origins may use the API (https://fetch.spec.whatwg.org/#http-cors-protocol). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseUrl } from '@causeway/protocol/paths.ts';
import type { CorsConfig } from '../config.ts';
import { isOrigin, originPattern } from '../origins.ts';

/** The original's, to the letter. */
const ALLOWED_HEADERS =
  'access-control-allow-origin,content-length,x-forwarded-proto,x-forwarded-host,origin,x-requested-with,content-type,access-control-allow-methods,accept';
const REJECTED = 'CORS Rejected - Invalid origin';
/** What a request's origin may do. */
export type OriginVerdict = 'none' | 'allowed' | 'rejected';

export class Cors {
  readonly #isForAll: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #patterns: readonly RegExp[];
  readonly #allowedMethods: string;

  constructor({ allowedOrigins, allowedMethods }: Pick<CorsConfig, 'allowedOrigins' | 'allowedMethods'>) {
    this.#isForAll = allowedOrigins.includes('*');
    this.#origins = new Set(allowedOrigins);
    this.#patterns = allowedOrigins.flatMap((entry) => originPattern(entry) ?? []);
    this.#allowedMethods = allowedMethods.join(',');
  }

  judge(origin: string | undefined): OriginVerdict {
    if (origin === undefined) return 'none';
    if (!isOrigin(origin)) return 'rejected';
    const isAllowed =
      this.#isForAll || this.#origins.has(origin) || this.#patterns.some((pattern) => pattern.test(origin));
    return isAllowed ? 'allowed' : 'rejected';
  }

  /** Answers a preflight and a foreign origin, and is then true; puts headers on what will be answered otherwise. */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    if (isForOperators(request)) return false;
    const { origin } = request.headers;
    const verdict = this.judge(origin);
    if (verdict === 'rejected') {
      response.writeHead(403, REJECTED, { 'content-length': REJECTED.length }).end(REJECTED);
      return true;
    }
    if (!this.#isForAll) response.setHeader('vary', 'origin');
    if (origin === undefined) return false;
    response.setHeader('access-control-allow-origin', this.#isForAll ? '*' : origin);
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
    response
      .writeHead(204, {
        'access-control-allow-methods': this.#allowedMethods,
        'access-control-allow-headers': ALLOWED_HEADERS,
      })
      .end();
    return true;
  }
}

/** Health and metrics are no part of the API, even where they are on its port. */
function isForOperators({ url = '/' }: IncomingMessage): boolean {
  const { operation } = parseUrl('GET', url);
  return operation === 'healthy' || operation === 'ready' || operation === 'metrics';
}

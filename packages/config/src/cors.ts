/** The section `cors` of gateways and bridges: which pages of other origins may use the API. */
import { type Static, Type } from 'typebox';
import { originProblem } from './origins.ts';
import { Choice, Section } from './schema.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

/** The headers of the peer API, and others that clients of this API send. */
const ALLOWED_HEADERS =
  'access-control-allow-origin,content-length,x-forwarded-proto,x-forwarded-host,origin,x-requested-with,content-type,access-control-allow-methods,accept,authorization,x-api-key,x-request-id,traceparent,idempotency-key';

const HeaderNames = (description: string, names: readonly string[]) =>
  Type.Array(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }), { description, default: [...names] });

export const CorsSection = Section(
  {
    isEnabled: Type.Boolean({
      description: 'Whether pages of other origins may use the API; Origin is ignored otherwise.',
      default: false,
    }),
    allowedOrigins: Type.Array(Type.String(), {
      description: 'Origins as https://example.com, * for all, or a regular expression between slashes for the whole.',
      default: ['*'],
      minItems: 1,
    }),
    allowedMethods: Type.Array(Choice(METHODS, { description: 'A method.', default: 'GET' }), {
      description: 'Methods that a preflight response lists.',
      default: [...METHODS],
      minItems: 1,
    }),
    allowedHeaders: HeaderNames('Request headers that a preflight response lists.', ALLOWED_HEADERS.split(',')),
    exposedHeaders: HeaderNames('Response headers that pages may read, beside those that they always may.', [
      'retry-after',
      'x-request-id',
      'ratelimit',
      'ratelimit-policy',
      'idempotency-replayed',
    ]),
    maxAgeSeconds: Type.Integer({
      description: 'How long a browser may cache a preflight response, in seconds; browsers have their own limits.',
      default: 600,
      minimum: 0,
      maximum: 86_400,
    }),
  },
  { description: 'Cross-origin resource sharing for the API, except /healthy, /ready and /metrics.' },
);
export type CorsConfig = Static<typeof CorsSection>;

/** Checks that the schema cannot express. */
export function checkCors({ allowedOrigins }: CorsConfig): { path: (string | number)[]; reason: string }[] {
  return allowedOrigins.flatMap((entry, index) => {
    const reason = originProblem(entry);
    return reason === undefined ? [] : [{ path: ['cors', 'allowedOrigins', index], reason }];
  });
}

/**
 * Refuses requests that pages of other origins send from an operator's browser. Such a page could not read a response, but on
 * loopback, where reading needs no token, it could open streams, and it could try tokens.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Scheme } from '@causeway/http/peer.ts';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route serves probes: no page of another origin learns or changes anything with it. */
    isProbe?: boolean;
  }
}

export interface CrossSiteOptions {
  scheme: Scheme;
  /** Additional origins, as configured now. */
  allowedOrigins: () => readonly string[];
}

/** Must be called after `checkHosts`, which protects against names that only the attacker's page uses. Errors: `crossSite`. */
export function checkOrigins(app: FastifyInstance, { scheme, allowedOrigins }: CrossSiteOptions): void {
  app.addHook('onRequest', async ({ method, headers, routeOptions: { config } }) => {
    if (config.isProbe === true) return;
    const isOfPage = config.isPublic === true && (method === 'GET' || method === 'HEAD');
    const foreign = foreignOrigin(headers, { scheme, allowedOrigins: allowedOrigins(), isOfPage });
    if (foreign === undefined) return;
    throw new GatewayError(
      'crossSite',
      `The admin API accepts no requests from pages of ${foreign}: add the origin to admin.allowedOrigins if its pages may send them.`,
    );
  });
}

interface Here {
  scheme: Scheme;
  allowedOrigins: readonly string[];
  /** The request reads the page itself, to which other sites may have links. */
  isOfPage: boolean;
}

/**
 * The origin of the page that sent the request, if that page may not; `undefined` for requests of this origin, of allowed ones,
 * and of programs. Pure. https://www.w3.org/TR/fetch-metadata/
 */
export function foreignOrigin(headers: IncomingHttpHeaders, here: Here): string | undefined {
  const { scheme, allowedOrigins, isOfPage } = here;
  const { origin, host } = headers;
  if (origin !== undefined) {
    const known = [...(host === undefined ? [] : [`${scheme}://${host}`]), ...allowedOrigins].map(originOf);
    return origin !== 'null' && known.includes(origin) ? undefined : JSON.stringify(origin);
  }
  const site = headers['sec-fetch-site'];
  // `none`: the operator typed the address. Programs send no such header.
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
  const isNavigation = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return isOfPage && isNavigation ? undefined : 'another origin';
}

/** As browsers write it: in lower case, and without the default port of the scheme. */
function originOf(url: string): string | undefined {
  return URL.parse(url)?.origin;
}

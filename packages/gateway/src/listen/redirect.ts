/** A plain listener that only sends clients to HTTPS: 308, which keeps the method and the body (RFC 9110 §15.4.9). */
import type { IncomingMessage } from 'node:http';
import { headChecks, transferCoding } from '@causeway/http/head.ts';
import { malformed, type Refusal } from '@causeway/http/refusal.ts';
import { HttpServer, type HttpServerOptions } from '@causeway/http/server.ts';

const DEFAULT_HTTPS_PORT = 443;
/** What a URL must write with a percent sign, though Node's parser accepts it (RFC 3986 §3.3, §3.4). It accepts nothing beyond ASCII. */
const NOT_IN_URL = /[^!$&'()*+,\-./0-9:;=?@A-Z_a-z~%]/g;

export interface RedirectOptions extends Pick<HttpServerOptions, 'limits' | 'entrance' | 'onUnread'> {
  /** Where the gateway, or what is in front of it, speaks TLS. */
  httpsPort: number;
}

export function createRedirectServer({ httpsPort, limits, entrance, onUnread }: RedirectOptions): HttpServer {
  return new HttpServer({
    limits,
    entrance,
    ...(onUnread === undefined ? {} : { onUnread }),
    checks: [hostIsNamed, ...headChecks(limits), transferCoding],
    serve: ({ request, response }) => {
      const headers = { location: secureUrl(request, httpsPort), 'content-length': 0 };
      response.writeHead(308, headers).end();
    },
  });
}

/** HTTP/1.0 needs no Host, and a redirect does (RFC 9112 §3.2). */
function hostIsNamed({ headers, url = '/' }: Pick<IncomingMessage, 'headers' | 'url'>): Refusal | undefined {
  const hasOwn = headers.host !== undefined && headers.host !== '';
  return hasOwn || /^https?:/i.test(url)
    ? undefined
    : malformed('The request has no Host header, so it cannot be redirected to HTTPS.');
}

/** The same resource over HTTPS. The checks of a head come before: the host is valid, and `url` a path or `*` (OPTIONS). */
export function secureUrl({ headers, url = '/' }: Pick<IncomingMessage, 'headers' | 'url'>, httpsPort: number): string {
  const name = (headers.host ?? '').replace(/:\d*$/, '');
  const port = httpsPort === DEFAULT_HTTPS_PORT ? '' : `:${httpsPort}`;
  // Clients write the empty path of OPTIONS as * again (RFC 9112 §3.2.4).
  const path = url === '*' ? '' : url;
  return `https://${name}${port}${path.replace(NOT_IN_URL, encodeURIComponent)}`;
}

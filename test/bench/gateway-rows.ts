/** The rows of the gateway's benchmark: which proxies, over which protocol, under which load. */
import type { IdentityKind } from './identity.ts';
import {
  bareNode,
  type Command,
  gateway,
  gatewayWith,
  haproxy,
  hasHaproxy,
  hasNginx,
  httpProxy,
  nginx,
  type Place,
  type Protocol,
} from './proxies.ts';

/** Requests in flight, on as many connections of HTTP/1.1 or as streams of one connection of HTTP/2. */
export const CONCURRENCY = 64;

export const GATEWAY_ROWS = ['plain', 'tls', 'upstream', 'h1', 'h1-tls', 'h2c', 'h2', 'identity'] as const;
export type GatewayRow = (typeof GATEWAY_ROWS)[number];

export interface Row {
  title: string;
  protocol: Protocol;
  /** `http1`: wrk, or autocannon where it is not installed. */
  tool: 'http1' | 'h2load';
  proxies: readonly Proxy[];
}

export type ProxyName =
  | 'bare Node'
  | 'gateway'
  | 'gateway, page open'
  | 'gateway, JWT'
  | 'gateway, API key'
  | 'gateway, JWT, rules and quotas'
  | '@fastify/http-proxy'
  | 'nginx'
  | 'HAProxy';

export interface Proxy {
  name: ProxyName;
  command: (place: Place) => Command;
  isThere: () => boolean;
  /** Which credentials its clients show. Default: none. */
  identity?: IdentityKind;
}

const always = (): boolean => true;
const BARE: Proxy = { name: 'bare Node', command: bareNode, isThere: always };
const GATEWAY: Proxy = { name: 'gateway', command: gateway, isThere: always };
const WITH_PAGE: Proxy = { name: 'gateway, page open', command: gateway, isThere: always };
const WITH_JWT = withIdentity('gateway, JWT', 'jwt');
const WITH_API_KEY = withIdentity('gateway, API key', 'apiKey');
const WITH_ALL = withIdentity('gateway, JWT, rules and quotas', 'all');
const HTTP_PROXY: Proxy = { name: '@fastify/http-proxy', command: httpProxy, isThere: always };
const NGINX: Proxy = { name: 'nginx', command: nginx, isThere: hasNginx };
const HAPROXY: Proxy = { name: 'HAProxy', command: haproxy, isThere: hasHaproxy };

export const ROWS: Readonly<Record<GatewayRow, Row>> = {
  plain: {
    title: 'HTTP/1.1',
    protocol: 'http1',
    tool: 'http1',
    proxies: [BARE, GATEWAY, WITH_PAGE, HTTP_PROXY, NGINX, HAPROXY],
  },
  tls: { title: 'HTTP/1.1 over TLS 1.3', protocol: 'tls', tool: 'http1', proxies: [BARE, GATEWAY, NGINX] },
  upstream: {
    title: 'HTTP/1.1, and mTLS to the upstream',
    protocol: 'mutual-tls',
    tool: 'http1',
    proxies: [GATEWAY, NGINX],
  },
  h1: { title: 'HTTP/1.1 by h2load', protocol: 'http1', tool: 'h2load', proxies: [GATEWAY] },
  'h1-tls': { title: 'HTTP/1.1 over TLS 1.3 by h2load', protocol: 'tls', tool: 'h2load', proxies: [GATEWAY] },
  h2c: { title: 'HTTP/2 without TLS', protocol: 'h2c', tool: 'h2load', proxies: [BARE, GATEWAY, NGINX] },
  identity: {
    title: 'HTTP/1.1, with identity',
    protocol: 'http1',
    tool: 'http1',
    proxies: [GATEWAY, WITH_JWT, WITH_API_KEY, WITH_ALL],
  },
  h2: { title: 'HTTP/2 over TLS 1.3', protocol: 'h2', tool: 'h2load', proxies: [BARE, GATEWAY, NGINX] },
};

function withIdentity(name: ProxyName, identity: IdentityKind): Proxy {
  return { name, command: gatewayWith(identity), isThere: always, identity };
}

/**
 * Checks `Host` in requests to the admin API. On loopback the API needs no token, and a page in the operator's browser can make
 * its own name resolve to loopback (DNS rebinding): the name in `Host` exposes it.
 */
import { isIP } from 'node:net';
import { isLoopback, plainAddress } from '@causeway/config/networks.ts';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../errors.ts';

export interface HostsOptions {
  /** The address that the admin API listens on. */
  host: string;
  /** Additional names, as configured now. */
  allowedHosts: () => readonly string[];
}

/** Must be called before all else. Errors: `hostNotAllowed`. */
export function checkHosts(app: FastifyInstance, { host, allowedHosts }: HostsOptions): void {
  app.addHook('onRequest', async ({ headers }) => {
    // HTTP/1.0 requires no Host, and no browser speaks it.
    if (headers.host === undefined || isAllowed(headers.host, { host, allowedHosts: allowedHosts() })) return;
    throw new GatewayError(
      'hostNotAllowed',
      `The admin API does not serve the host ${JSON.stringify(headers.host)}: use an address, or add the name to admin.allowedHosts.`,
    );
  });
}

/** Whether `header` is an accepted host. Ports do not matter. Pure. */
export function isAllowed(header: string, listen: { host: string; allowedHosts: readonly string[] }): boolean {
  const name = nameOf(header);
  if (name === undefined) return false;
  const names = listen.allowedHosts.map((allowed) => nameOf(allowed) ?? allowed.toLowerCase());
  if (name === 'localhost' || name === listen.host.toLowerCase() || names.includes(name)) return true;
  const isAddress = isIP(name) !== 0;
  if (isLoopback(listen.host)) return isAddress && isLoopback(plainAddress(name));
  // Beyond loopback the token protects the API, so names only matter if some are listed. An address cannot be rebound.
  return isAddress || names.length === 0;
}

/** Returns the host in lower case, without port and brackets; `undefined` for an invalid host (RFC 3986 §3.2.2). */
function nameOf(header: string): string | undefined {
  const [, address, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._~-]+?)\.?)(?::\d*)?$/.exec(header.toLowerCase()) ?? [];
  return address ?? name;
}

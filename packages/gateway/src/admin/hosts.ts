/**
 * Which hosts the admin API answers for. Where it listens on loopback it asks for no token, and a page in the operator's browser
 * can make its own name resolve to loopback (DNS rebinding): the name in `Host` gives it away.
 */
import { isIP } from 'node:net';
import { isLoopback, plainAddress } from '@causeway/config/networks.ts';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../errors.ts';

export interface HostsOptions {
  /** Where the admin API listens. */
  host: string;
  /** The names that hold now, besides. */
  allowedHosts: () => readonly string[];
}

/** To be added before everything else. Errors: `hostNotAllowed`. */
export function checkHosts(app: FastifyInstance, { host, allowedHosts }: HostsOptions): void {
  app.addHook('onRequest', async ({ headers }) => {
    // HTTP/1.0 needs none, and no browser speaks it.
    if (headers.host === undefined || isAllowed(headers.host, { host, allowedHosts: allowedHosts() })) return;
    throw new GatewayError(
      'hostNotAllowed',
      `The admin API does not answer for the host ${JSON.stringify(headers.host)}: use an address, or add the name to admin.allowedHosts.`,
    );
  });
}

/** Pure. Ports do not matter. */
export function isAllowed(header: string, listen: { host: string; allowedHosts: readonly string[] }): boolean {
  const name = nameOf(header);
  if (name === undefined) return false;
  const names = listen.allowedHosts.map((allowed) => nameOf(allowed) ?? allowed.toLowerCase());
  if (name === 'localhost' || name === listen.host.toLowerCase() || names.includes(name)) return true;
  const isAddress = isIP(name) !== 0;
  if (isLoopback(listen.host)) return isAddress && isLoopback(plainAddress(name));
  // Beyond loopback the token protects, unless names are listed; a page's name is no address.
  return isAddress || names.length === 0;
}

/** The host without its port, in lower case, IPv6 without brackets; `undefined` for what is no host (RFC 3986 §3.2.2). */
function nameOf(header: string): string | undefined {
  const [, address, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._~-]+?)\.?)(?::\d*)?$/.exec(header.toLowerCase()) ?? [];
  return address ?? name;
}

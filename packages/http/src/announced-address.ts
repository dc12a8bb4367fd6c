/** The address of a client that a load balancer announced, in place of the load balancer's own. */
import type { Socket } from 'node:net';
import type { ProxySource } from './proxy-protocol.ts';

const SOURCE = Symbol('source');

type RelayedSocket = Socket & { [SOURCE]?: ProxySource | 'unknown' };

/**
 * From now on the socket has the announced address for everything that reads it: HTTP, access log, trust. Without a source it keeps
 * its own address, which is not trusted: another process sent the bytes of the client.
 */
export function announce(socket: Socket, source: ProxySource | undefined): void {
  const relayed = socket as RelayedSocket;
  relayed[SOURCE] = source ?? 'unknown';
  if (source === undefined) return;
  const { address, port } = source;
  Object.defineProperties(socket, {
    remoteAddress: { value: address },
    remotePort: { value: port },
    remoteFamily: { value: address.includes(':') ? 'IPv6' : 'IPv4' },
  });
}

/** Whether a load balancer opened the connection for a client that it does not name, or for itself. */
export function isOfUnknownClient(socket: Socket): boolean {
  return (socket as RelayedSocket)[SOURCE] === 'unknown';
}

/** For TLS over an announced connection. */
export function copyAnnouncement(from: Socket, to: Socket): void {
  const { [SOURCE]: source } = from as RelayedSocket;
  if (source !== undefined) announce(to, source === 'unknown' ? undefined : source);
}

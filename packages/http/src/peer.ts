/** The other end of an accepted connection, as far as every request on it has it in common. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { plainAddress } from '@causeway/config/networks.ts';

export type Scheme = 'http' | 'https';

/** Made once for each connection; read by every request on it. */
export interface Peer {
  /** IPv4 addresses that arrive on an IPv6 socket are written as IPv4. */
  readonly address: string;
  readonly port: number;
  /** `https` when this process terminates TLS. */
  readonly scheme: Scheme;
  /** What TLS negotiated (RFC 7301); `undefined` without ALPN. */
  readonly alpnProtocol: string | undefined;
  /** Who the client has proven to be. Always `undefined` so far: neither program authenticates clients or reads it. */
  readonly identity: PeerIdentity | undefined;
}

export interface PeerIdentity {
  /** As operators write it in a configuration, such as the subject of a client certificate. */
  readonly name: string;
}

/** Reads a connection that was accepted; for TLS, after the handshake. */
export function describePeer(socket: Socket): Peer {
  const isSecure = socket instanceof TLSSocket;
  return {
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    scheme: isSecure ? 'https' : 'http',
    alpnProtocol: isSecure && typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    identity: undefined,
  };
}

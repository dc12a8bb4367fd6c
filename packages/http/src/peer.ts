/** The other end of an accepted connection, as far as every request on it has it in common. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { plainAddress } from '@causeway/config/networks.ts';
import type { CertifiedNames } from '@causeway/config/peers.ts';
import { altNamesOf } from './alt-names.ts';
import { isOfUnknownClient } from './announced-address.ts';

export type Scheme = 'http' | 'https';
/** What a connection speaks: HTTP/1.1 and before, or HTTP/2. */
export type Protocol = 'http/1.1' | 'h2';

/** Made once for each connection; read by every request on it. */
export interface Peer {
  /** IPv4 addresses that arrive on an IPv6 socket are written as IPv4. */
  readonly address: string;
  readonly port: number;
  /** `https` when this process terminates TLS. */
  readonly scheme: Scheme;
  readonly protocol: Protocol;
  /** What TLS negotiated (RFC 7301); `undefined` without ALPN. */
  readonly alpnProtocol: string | undefined;
  /** Who the client has proven to be: from a certificate that an authority of `clientCaFile` signed. */
  readonly identity: PeerIdentity | undefined;
  /** A load balancer sends the bytes of a client that it does not name, so that nothing is trusted for its address. */
  readonly isOfUnknownClient: boolean;
}

export interface PeerIdentity extends CertifiedNames {
  /** For logs, and never for decisions: the common name of the subject, or the first alternative name. */
  readonly name: string;
  /** Subject alternative names. */
  readonly emails: readonly string[];
  /** Of the subject, if it has exactly one. */
  readonly commonName: string | undefined;
  /** Of the subject. */
  readonly organizationalUnits: readonly string[];
  /** When the certificate expires, in milliseconds since 1970. */
  readonly notAfterMs: number;
}

/** Reads a connection that was accepted; for TLS, after the handshake. */
export function describePeer(socket: Socket, protocol: Protocol = 'http/1.1'): Peer {
  const isSecure = socket instanceof TLSSocket;
  return {
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    scheme: isSecure ? 'https' : 'http',
    protocol,
    alpnProtocol: isSecure && typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    identity: isSecure ? identityOf(socket) : undefined,
    isOfUnknownClient: isOfUnknownClient(socket),
  };
}

function identityOf(socket: TLSSocket): PeerIdentity | undefined {
  // False also where the listener asks for no certificate, and where the client shows none.
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { dnsNames, uris, emails } = altNamesOf(certificate);
  // Node splits the subject into its attributes here; as a text, a value can look like several.
  const { subject } = certificate.toLegacyObject() as { subject: Record<string, string | string[] | undefined> };
  const { CN: commonNames = [], OU: units = [] } = subject;
  const commonName = typeof commonNames === 'string' ? commonNames : undefined;
  const name = commonName ?? dnsNames[0] ?? uris[0] ?? certificate.fingerprint256;
  const organizationalUnits = typeof units === 'string' ? [units] : units;
  const notAfterMs = certificate.validToDate.getTime();
  return { name, dnsNames, uris, emails, commonName, organizationalUnits, notAfterMs };
}

/** Who is at the other end of a connection: worked out once for all of its requests. */
import { type BlockList, isIPv6, type Socket } from 'node:net';

/** A request that is told when its client is gone. */
export interface PeerRequest {
  onClientGone(): void;
}

export interface Peer {
  /** Its forwarding headers are believed. */
  readonly isTrusted: boolean;
  /** IPv4 addresses that arrive on an IPv6 socket are written as what they are. */
  readonly address: string;
  /** What a request without forwarding headers of its own gets, by its `Host`. */
  forwarding: { host: string; headers: readonly string[] } | undefined;
  /** Requests that are under way on the connection: one, or several that were pipelined. */
  readonly requests: PeerRequest[];
}

/** The peers of one configuration's `trust.peers`. */
export class Peers {
  readonly #networks: BlockList;
  readonly #bySocket = new WeakMap<Socket, Peer>();

  constructor(networks: BlockList) {
    this.#networks = networks;
  }

  of(socket: Socket): Peer {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const { remoteAddress } = socket;
    const address = plainAddress(remoteAddress);
    const isTrusted = remoteAddress !== undefined && this.#networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    const peer: Peer = { isTrusted, address, forwarding: undefined, requests: [] };
    this.#bySocket.set(socket, peer);
    // One listener a connection; one on each answer would cost every request.
    socket.once('close', () => {
      for (const request of peer.requests.splice(0)) request.onClientGone();
    });
    return peer;
  }
}

function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

/** Who is at the other end of a connection: worked out once for all of its requests. */
import type { IncomingMessage } from 'node:http';
import type { BlockList, Socket } from 'node:net';
import { isTrusted, plainAddress } from '@causeway/config/networks.ts';

/** A request that is told when its client is gone. */
export interface PeerRequest {
  onClientGone(): void;
}

export interface Peer {
  /** Its forwarding headers are believed. */
  isTrusted: boolean;
  /** IPv4 addresses that arrive on an IPv6 socket are written as what they are. */
  readonly address: string;
  /** What a request without forwarding headers of its own gets, by its `Host`. */
  forwarding: { host: string; headers: readonly string[] } | undefined;
  /** Requests whose answers are not complete: one, or several that were pipelined. */
  readonly requests: PeerRequest[];
}

export class Peers {
  readonly #bySocket = new WeakMap<Socket, { peer: Peer; networks: BlockList }>();
  #networks: BlockList;

  constructor(networks: BlockList) {
    this.#networks = networks;
  }

  /** Believes other networks from now on; connections that are open are looked at again. */
  set trusted(networks: BlockList) {
    this.#networks = networks;
  }

  of(socket: Socket): Peer {
    const known = this.#bySocket.get(socket);
    if (known === undefined) return this.#meet(socket);
    if (known.networks !== this.#networks) {
      known.networks = this.#networks;
      known.peer.isTrusted = isTrusted(this.#networks, known.peer.address);
    }
    return known.peer;
  }

  #meet(socket: Socket): Peer {
    const address = plainAddress(socket.remoteAddress);
    const peer: Peer = { isTrusted: isTrusted(this.#networks, address), address, forwarding: undefined, requests: [] };
    this.#bySocket.set(socket, { peer, networks: this.#networks });
    // One listener a connection; one on each answer would cost every request.
    socket.once('close', () => {
      for (const request of peer.requests.splice(0)) request.onClientGone();
    });
    return peer;
  }
}

/** A header that only another gateway may set. */
export function peerHeader({ isTrusted }: Peer, { headers }: IncomingMessage, name: string): string | undefined {
  const value = isTrusted ? headers[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

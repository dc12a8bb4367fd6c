/** Who is at the other end of a connection: worked out once for all of its requests. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { plainAddress } from '@causeway/config/networks.ts';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import { GATEWAY_HEADER, OPERATOR_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import type { Identity } from '../exchange/identity.ts';

/** A request that is told when its client is gone. */
export interface PeerRequest {
  onClientGone(): void;
}

export interface Peer {
  /** IPv4 addresses that arrive on an IPv6 socket are written as what they are. */
  readonly address: string;
  /** What a request without forwarding headers of its own gets, by its `Host`. */
  forwarding: { host: string; identity: Identity; headers: readonly string[] } | undefined;
  /** Requests whose answers are not complete: one, or several that were pipelined. */
  readonly requests: PeerRequest[];
}

export class Peers {
  readonly #bySocket = new WeakMap<Socket, Peer>();

  of(socket: Socket): Peer {
    return this.#bySocket.get(socket) ?? this.#meet(socket);
  }

  #meet(socket: Socket): Peer {
    const peer: Peer = { address: plainAddress(socket.remoteAddress), forwarding: undefined, requests: [] };
    this.#bySocket.set(socket, peer);
    // One listener a connection; one on each answer would cost every request.
    socket.once('close', () => {
      for (const request of peer.requests.splice(0)) request.onClientGone();
    });
    return peer;
  }
}

/** How far a request is believed: by its connection's address, and by the secret that it shows. */
export function trustOf(policy: TrustPolicy, { headers, socket }: IncomingMessage): Trust {
  const isLikeGateway = headers[GATEWAY_HEADER] !== undefined || headers[OPERATOR_HEADER] !== undefined;
  return policy.of(socket, headers[SECRET_HEADER], isLikeGateway);
}

/** A header that gateways alone may set. */
export function gatewayHeader(trust: Trust, request: IncomingMessage, name: string): string | undefined {
  return trust === 'gateway' ? textOf(request, name) : undefined;
}

function textOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

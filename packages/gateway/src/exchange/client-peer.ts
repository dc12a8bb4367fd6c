/** What a gateway keeps for each connection of a client, for all requests on it. */
import type { Socket } from 'node:net';
import type { ResponseMessage } from '@causeway/http/message.ts';
import type { Peer } from '@causeway/http/peer.ts';
import type { Identity } from './identity.ts';

/** A request in progress that must learn when its client is gone. */
export interface PeerRequest {
  onClientGone(): void;
}

export interface ClientPeer extends Peer {
  /** The forwarding headers of a request that brings none, by its `Host`. */
  forwarding: { host: string; identity: Identity; headers: readonly string[] } | undefined;
  /** Requests without a complete response: one, or several that were pipelined. */
  readonly requests: PeerRequest[];
}

/** Meets a connection: its requests learn of its end. */
export function meetClient(peer: Peer, socket: Socket): ClientPeer {
  const client: ClientPeer = {
    address: peer.address,
    port: peer.port,
    scheme: peer.scheme,
    protocol: peer.protocol,
    alpnProtocol: peer.alpnProtocol,
    identity: peer.identity,
    isOfUnknownClient: peer.isOfUnknownClient,
    forwarding: undefined,
    requests: [],
  };
  // One listener for each connection; one on each response would cost every request.
  socket.once('close', () => {
    for (const request of client.requests.splice(0)) request.onClientGone();
  });
  return client;
}

/** From now on the request learns when its client is gone: with its connection or, over HTTP/2, with its stream. */
export function watchClient(request: PeerRequest, response: ResponseMessage, { requests }: ClientPeer): void {
  if (response.outlet === undefined) requests.push(request);
  else response.owner = request;
}

/** Its response is complete. */
export function unwatchClient(request: PeerRequest, response: ResponseMessage, { requests }: ClientPeer): void {
  if (response.outlet !== undefined) response.owner = undefined;
  else if (requests.at(-1) === request) requests.pop();
  else if (requests.includes(request)) requests.splice(requests.indexOf(request), 1);
}

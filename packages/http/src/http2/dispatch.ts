/** Takes connections before one of Node's servers does, for those that speak another protocol. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Gives a connection to Node's server. */
export type Give = (socket: Socket) => void;

/** From now on `take` gets each connection, after its TLS handshake if the server has one, and gives some to the server. */
export function intercept(
  server: Server,
  event: 'connection' | 'secureConnection',
  take: (socket: Socket) => void,
): Give {
  const [own] = server.listeners(event) as Give[];
  if (own === undefined) throw new TypeError(`the server does not listen for ${event}`);
  server.removeListener(event, own);
  server.on(event, take);
  return (socket) => own.call(server, socket);
}

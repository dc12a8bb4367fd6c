/** The state of one accepted connection, which turns, refusals and time limits share. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Indexed } from './indexed-list.ts';
import { closeLingering } from './lingering.ts';
import type { Peer } from './peer.ts';
import { NOTHING_WAITS, type ReadingProgress } from './reading-progress.ts';
import type { Refusal } from './refusal.ts';

export interface Connection<P extends Peer = Peer> extends Indexed, ReadingProgress {
  readonly socket: Socket;
  readonly peer: P;
  /** Its requests are streams of HTTP/2, which the fields below say nothing about. */
  readonly isHttp2: boolean;
  /** The response to the last request that arrived, until some time after it was sent. */
  last: ServerResponse | undefined;
  /** The response in progress while other requests wait. */
  active: ServerResponse | undefined;
  /** Requests that wait for their turn. */
  waitingCount: number;
  /** Keeps the socket paused. */
  hold: (() => void) | undefined;
  /** Sent after the response to the last request, in place of a response to the bytes that follow it. */
  refusal: Refusal | undefined;
  /** No further request is served. */
  isEnding: boolean;
  /** As the last sweep found it, while a body is expected. */
  bytesRead: number;
  progressAtMs: number;
}

const CONNECTION = Symbol('connection');

type AcceptedSocket<P extends Peer> = Socket & { [CONNECTION]?: Connection<P> };

/** Starts the life of a connection: from now on `connectionOf(socket)` finds it. */
export function openConnection<P extends Peer>(socket: Socket, peer: P): Connection<P> {
  const connection: Connection<P> = {
    socket,
    peer,
    isHttp2: peer.protocol === 'h2',
    listIndex: -1,
    last: undefined,
    active: undefined,
    waitingCount: 0,
    hold: undefined,
    refusal: undefined,
    isEnding: false,
    bytesRead: 0,
    progressAtMs: 0,
    seenTakenBytes: NOTHING_WAITS,
    unreadMs: 0,
  };
  (socket as AcceptedSocket<P>)[CONNECTION] = connection;
  // Node calls it after a response with `Connection: close`.
  socket.destroySoon = () => {
    connection.isEnding = true;
    closeLingering(socket);
  };
  return connection;
}

/** `undefined` for a socket whose TLS handshake failed. */
export function connectionOf<P extends Peer = Peer>(socket: object): Connection<P> | undefined {
  return (socket as AcceptedSocket<P>)[CONNECTION];
}

/** The peer of a socket that an {@link HttpServer} accepted. */
export function peerOf<P extends Peer = Peer>(socket: Socket): P {
  const connection = connectionOf<P>(socket);
  if (connection === undefined) throw new TypeError('the socket was not accepted by an HttpServer');
  return connection.peer;
}

/** Stops reading the connection until {@link release}. */
export function hold(connection: Connection): void {
  if (connection.hold !== undefined) return;
  const { socket } = connection;
  // Node resumes a connection after each request that it has parsed.
  connection.hold = () => socket.pause();
  socket.on('resume', connection.hold);
  socket.pause();
}

export function release(connection: Connection): void {
  const { socket } = connection;
  if (connection.hold === undefined) return;
  socket.off('resume', connection.hold);
  connection.hold = undefined;
  connection.active = undefined;
  socket.resume();
}

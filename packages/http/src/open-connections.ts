/** The open connections of a server, and the bytes of all that it ever had. */
import type { Connection } from './connection.ts';
import { IndexedList } from './indexed-list.ts';
import type { Peer } from './peer.ts';

export class OpenConnections<P extends Peer = Peer> {
  readonly #open = new IndexedList<Connection<P>>();
  #closedReceivedBytes = 0;
  #closedSentBytes = 0;

  get count(): number {
    return this.#open.size;
  }

  /** Holds the connection until its socket closes. */
  add(connection: Connection<P>): void {
    this.#open.add(connection);
    connection.socket.once('close', () => this.#remove(connection));
  }

  forEach(visit: (connection: Connection<P>) => void): void {
    this.#open.forEach(visit);
  }

  /** Requests pay nothing for it: the sockets count. */
  totals(): { receivedBytes: number; sentBytes: number } {
    let receivedBytes = this.#closedReceivedBytes;
    let sentBytes = this.#closedSentBytes;
    this.#open.forEach(({ socket }) => {
      receivedBytes += socket.bytesRead;
      sentBytes += socket.bytesWritten;
    });
    return { receivedBytes, sentBytes };
  }

  #remove(connection: Connection<P>): void {
    this.#open.remove(connection);
    const { socket } = connection;
    this.#closedReceivedBytes += socket.bytesRead;
    this.#closedSentBytes += socket.bytesWritten;
  }
}

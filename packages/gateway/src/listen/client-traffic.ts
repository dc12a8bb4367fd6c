/** The connections of clients that are open, and the bytes that came and went over all that ever were. */
import type { Socket } from 'node:net';
import { type Indexed, IndexedList } from '../indexed-list.ts';

interface Connection extends Indexed {
  readonly socket: Socket;
}

export class ClientTraffic {
  readonly #open = new IndexedList<Connection>();
  #closedReceivedBytes = 0;
  #closedSentBytes = 0;

  get connectionCount(): number {
    return this.#open.size;
  }

  /** From here to the connection's end. Requests pay nothing: the system counts the bytes. */
  watch(socket: Socket): void {
    const connection = { socket, listIndex: -1 };
    this.#open.add(connection);
    socket.once('close', () => this.#remove(connection));
  }

  totals(): { receivedBytes: number; sentBytes: number } {
    let receivedBytes = this.#closedReceivedBytes;
    let sentBytes = this.#closedSentBytes;
    this.#open.forEach(({ socket }) => {
      receivedBytes += socket.bytesRead;
      sentBytes += socket.bytesWritten;
    });
    return { receivedBytes, sentBytes };
  }

  #remove(connection: Connection): void {
    this.#open.remove(connection);
    const { socket } = connection;
    this.#closedReceivedBytes += socket.bytesRead;
    this.#closedSentBytes += socket.bytesWritten;
  }
}

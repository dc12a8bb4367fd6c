/** The connections of clients that are open, and the bytes that came and went over all that ever were. */
import type { Socket } from 'node:net';

interface Connection {
  readonly socket: Socket;
  /** Its place in the list. */
  index: number;
}

export class ClientTraffic {
  /** Not a Set, for the reason that {@link InFlightList} tells. */
  readonly #open: Connection[] = [];
  #closedReceivedBytes = 0;
  #closedSentBytes = 0;

  get connectionCount(): number {
    return this.#open.length;
  }

  /** From here to the connection's end. Requests pay nothing: the system counts the bytes. */
  watch(socket: Socket): void {
    const connection = { socket, index: this.#open.length };
    this.#open.push(connection);
    socket.once('close', () => this.#remove(connection));
  }

  totals(): { receivedBytes: number; sentBytes: number } {
    let receivedBytes = this.#closedReceivedBytes;
    let sentBytes = this.#closedSentBytes;
    for (const { socket } of this.#open) {
      receivedBytes += socket.bytesRead;
      sentBytes += socket.bytesWritten;
    }
    return { receivedBytes, sentBytes };
  }

  #remove({ socket, index }: Connection): void {
    const last = this.#open.pop();
    if (last !== undefined && last.socket !== socket) {
      this.#open[index] = last;
      last.index = index;
    }
    this.#closedReceivedBytes += socket.bytesRead;
    this.#closedSentBytes += socket.bytesWritten;
  }
}

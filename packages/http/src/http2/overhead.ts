/**
 * The bytes of an HTTP/2 connection that are neither requests nor bodies: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty frames. A
 * client needs few of them, and each frame costs a server more than the client. Counted by the bytes of the socket, so that
 * frames themselves cost nothing.
 */
import type { Socket } from 'node:net';
import type { IndexedList } from '../indexed-list.ts';
import type { Http2Response } from './response.ts';

/** What a connection may send of them: at once, and then by the second. */
const BURST_BYTES = 1_048_576;
const BYTES_PER_SECOND = 65_536;
/**
 * What a body takes beside its bytes: a client that writes it in small pieces, such as single records of 100 bytes, needs a frame for
 * each, and with TLS a record.
 */
const FRAMING_SHARE = 0.5;
/** What a stream may send beside the bytes of its body that were read: its head, and a window of unread bytes. */
const BYTES_PER_STREAM = 98_304;
/** A client returns two frames of 13 bytes at most for each 16 KiB that it receives. */
const SENT_BYTES_PER_BYTE = 256;
const SECOND_MS = 1_000;

export interface CountedConnection {
  readonly socket: Pick<Socket, 'bytesRead' | 'bytesWritten'>;
  readonly streams: IndexedList<Http2Response>;
  readonly streamCount: number;
}

export class Overhead {
  /** Of the bodies of streams that have closed. */
  #closedBodyBytes = 0;
  /** Bytes read beyond those that requests account for, as the last look found them; negative while streams sent less than they may. */
  #seenBytes = 0;
  /** What was added since, beyond the rate. */
  #excessBytes = 0;

  /** A stream has closed. */
  closed({ req }: Http2Response): void {
    this.#closedBodyBytes += req.receivedBytes;
  }

  /** Whether the connection has sent too much. `stepMs`: since the last look. */
  isExcessive({ socket, streams, streamCount }: CountedConnection, stepMs: number): boolean {
    let bodyBytes = this.#closedBodyBytes;
    streams.forEach(({ req }) => {
      bodyBytes += req.receivedBytes + req.readableLength;
    });
    const allowedBytes =
      bodyBytes * (1 + FRAMING_SHARE) + streamCount * BYTES_PER_STREAM + socket.bytesWritten / SENT_BYTES_PER_BYTE;
    const bytes = socket.bytesRead - allowedBytes;
    const addedBytes = Math.max(0, bytes - this.#seenBytes) - (BYTES_PER_SECOND * stepMs) / SECOND_MS;
    this.#seenBytes = bytes;
    this.#excessBytes = Math.max(0, this.#excessBytes + addedBytes);
    return this.#excessBytes > BURST_BYTES;
  }
}

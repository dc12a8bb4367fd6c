/** Closes a connection whose client may still be sending, so that the client can read its response first (RFC 9112 §9.6). */
import type { Socket } from 'node:net';

/** How many bytes from the client are read and dropped. */
const MAX_DROPPED_BYTES = 268_435_456;
/** How long they are. */
const MAX_LINGER_MS = 30_000;
/** How long a client may send nothing without ending its side. */
const MAX_SILENCE_MS = 5_000;

/** Ends the writing side, drops what arrives, and closes the socket when the client ends its side, or at a limit. */
export function closeLingering(socket: Socket): void {
  if (socket.destroyed) return;
  if (!socket.writableEnded) socket.end();
  // The client has ended its side: the system closes the connection in order.
  if (socket.readableEnded) return;
  let droppedBytes = 0;
  const timer = setTimeout(() => socket.destroy(), MAX_LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  // Detaches Node's parser.
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    droppedBytes += chunk.length;
    if (droppedBytes > MAX_DROPPED_BYTES) socket.destroy();
  });
  socket.removeAllListeners('timeout');
  socket.setTimeout(MAX_SILENCE_MS, () => socket.destroy());
  socket.resume();
  // Node's parser stops the handle without the stream's knowledge: restart it.
  socket._read(0);
}

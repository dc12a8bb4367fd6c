/** The end of a connection whose client may still be sending: it reads its answer before the connection is gone (RFC 9112 §9.6). */
import type { Socket } from 'node:net';

/** How much of what a client still sends is read and dropped. */
const MAX_DROPPED_BYTES = 268_435_456;
/** How long it is. */
const MAX_LINGER_MS = 30_000;
/** How long a client may send nothing, and not end its side either. */
const MAX_SILENCE_MS = 5_000;

/** Ends the writing side after what was written, drops what still arrives, and closes when the client ends, or at a limit. */
export function closeLingering(socket: Socket): void {
  if (socket.destroyed) return;
  if (!socket.writableEnded) socket.end();
  // The client has ended its side: the system closes in order.
  if (socket.readableEnded) return;
  let droppedBytes = 0;
  const timer = setTimeout(() => socket.destroy(), MAX_LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  // Node's parser gets nothing more.
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    droppedBytes += chunk.length;
    if (droppedBytes > MAX_DROPPED_BYTES) socket.destroy();
  });
  socket.removeAllListeners('timeout');
  socket.setTimeout(MAX_SILENCE_MS, () => socket.destroy());
  socket.resume();
  // Node's parser stops the reading of a connection where the stream does not know: it waits for bytes already.
  socket._read(0);
}

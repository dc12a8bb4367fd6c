/** Finds out whether a client that has ended its side still reads: a response that takes records must not be lost. */
import { ServerResponse } from 'node:http';
import type { Connection } from './connection.ts';
import type { ResponseMessage } from './message.ts';

/** When the first probes follow the end of the client's side. */
const PROBE_AFTER_MS = [100, 1_000] as const;
const PROBE = 'HTTP/1.1 100 Continue\r\n\r\n';
const IS_PROBED = Symbol('isProbed');

/**
 * Marks a response that must not count as delivered when its client is gone. TCP shows a client that has ended its side and
 * waits, and one that is gone, alike; the host of the second resets the connection at the next bytes that it gets.
 */
export function probeHalfClosed(response: ResponseMessage): void {
  // Over HTTP/2 a client that has ended its side has left.
  if (!(response instanceof ServerResponse)) return;
  Object.defineProperty(response, IS_PROBED, { value: true });
  if (response.req.socket.readableEnded) probe(response);
}

/** Probes at once and twice more when the client ends its side under a marked response. */
export function watchHalfClosed(connection: Connection): void {
  connection.socket.once('end', () => {
    const { last } = connection;
    if (last !== undefined && !last.writableFinished && IS_PROBED in last) probe(last);
  });
}

/** Probes a marked response whose connection is not read, which would not show that the client is gone. */
export function probeUnread({ active }: Connection): void {
  if (active !== undefined && IS_PROBED in active) sendProbe(active);
}

function probe(response: ServerResponse): void {
  const { socket } = response.req;
  // HTTP/1.0 has no interim responses (RFC 9110 §15.2).
  if (response.req.httpVersionMinor === 0) {
    socket.destroy();
    return;
  }
  sendProbe(response);
  // The response waits until a reset can have arrived.
  socket.cork();
  const [first, second] = PROBE_AFTER_MS;
  const uncorked = setTimeout(() => {
    sendProbe(response);
    socket.uncork();
  }, first);
  const later = setTimeout(() => sendProbe(response), second);
  socket.once('close', () => {
    clearTimeout(uncorked);
    clearTimeout(later);
  });
}

/** A live client skips these bytes (RFC 9110 §15.2); the host of one that is gone resets the connection. */
function sendProbe({ req, headersSent }: ServerResponse): void {
  if (!headersSent && !req.socket.destroyed && req.httpVersionMinor > 0) req.socket.write(PROBE);
}

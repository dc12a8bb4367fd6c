/** The connection under TLS. */
import type { Socket } from 'node:net';

/** The accepted connection that carries this one; itself without TLS, and once it has closed. */
export function carrierOf(socket: Socket): Socket {
  // Node has no public name for it.
  const { _parent: carrier } = socket as Socket & { _parent?: Socket | null };
  return carrier ?? socket;
}

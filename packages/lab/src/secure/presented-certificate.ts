/** Which certificate a listener shows to a new connection. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { ClientTls } from './client-tls.ts';

const TIMEOUT_MS = 5_000;

/** Its serial number. Errors: of the connection. */
export async function presentedSerial(url: string, tls: ClientTls): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), ...tls });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no handshake with ${url} within ${TIMEOUT_MS} ms`)));
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}

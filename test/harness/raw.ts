/** HTTP as bytes on a socket, for what a client library would not send or would hide. */
import { connect } from 'node:net';

/** A `Host` line, which nearly every request needs. */
export const HOST = 'host: h\r\n';

/** Sends bytes as they are, and returns everything that comes back until the other side ends the connection. */
export function raw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

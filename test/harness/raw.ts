/** HTTP as bytes on a socket, for requests that a client library does not send and responses that it hides. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A `Host` line. */
export const HOST = 'host: h\r\n';

/** Sends bytes unchanged, and returns all that arrives until the server ends the connection. */
export function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'));
  return allOf(socket);
}

/** Like {@link raw}, but half-closes the connection after the request, as `nc -N` does. */
export function rawHalfClosed(port: number, request: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(request, 'latin1');
  return allOf(socket);
}

/** Like {@link raw}, but reads nothing before it has sent everything, as most blocking clients do. */
export async function rawBlocking(port: number, pieces: Iterable<string | Buffer>): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  await once(socket, 'connect');
  for (const piece of pieces) {
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  return await allOf(socket);
}

async function allOf(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.resume();
  await once(socket, 'close');
  return text;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Parses the responses of a connection. `isHead`: they have no bodies, whatever their `Content-Length`. */
export function answersOf(text: string, { isHead = false } = {}): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) throw new Error(`not a response: ${rest.slice(0, 200)}`);
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const match = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine);
    if (match === null) throw new Error(`not a status line: ${statusLine.slice(0, 200)}`);
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const length = isHead ? 0 : Number(headers['content-length'] ?? 0);
    answers.push({ status: Number(match[1]), headers, body: rest.slice(end + 4, end + 4 + length) });
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}

/** HTTP as bytes on a socket, for what a client library would not send or would hide. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A `Host` line, which nearly every request needs. */
export const HOST = 'host: h\r\n';

/** Sends bytes as they are, and returns everything that comes back until the other side ends the connection. */
export function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'));
  return allOf(socket);
}

/** As {@link raw}, of a client that ends its side after its request, as `nc -N` does. */
export function rawHalfClosed(port: number, request: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(request, 'latin1');
  return allOf(socket);
}

/** As {@link raw}, of a client that reads nothing before it has sent everything: most that block do it so. */
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

/** The answers of a connection in their order. `isHead`: they have no bodies, whatever their length says. */
export function answersOf(text: string, { isHead = false } = {}): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) throw new Error(`not an answer: ${rest.slice(0, 200)}`);
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

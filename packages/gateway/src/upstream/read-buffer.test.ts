/**
 * The sockets of a pool read into one buffer (`onread` of node:net): 64 KiB for all connections to a target instead of 64 KiB
 * for each, some 64 MB at a thousand connections. This rests on something that Node does and its documentation does not
 * promise: a socket reads, and calls back at once, before any other socket reads into the buffer (libuv reads when a
 * descriptor is ready, `CustomBufferJSListener` calls back from there). Were Node to read ahead, for several sockets or in
 * another thread, responses would be mixed up here first.
 */
import { createServer as createTcpServer } from 'node:net';
import { expect, test } from 'vitest';
import { listen, poolOf, type Sent, send } from '../../../../test/harness/transport.ts';

const CONNECTIONS = 48;
const BODY_BYTES = 600_000;

test('concurrent responses over one read buffer are not mixed up', async () => {
  // Each body consists of the number of its request, and all are written at the same time.
  const server = await listen(
    createTcpServer((socket) => {
      socket.once('data', (bytes) => {
        const number = Number(/^GET \/(\d+) /.exec(bytes.toString('latin1'))?.[1]);
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`);
        for (let sent = 0; sent < BODY_BYTES; sent += 10_000) socket.write(Buffer.alloc(10_000, number));
      });
    }),
  );
  const pool = poolOf(server.url);
  const sents = Array.from({ length: CONNECTIONS }, (_, number): Sent => {
    let length = 0;
    let foreignChunks = 0;
    const sent: Sent = send(
      pool,
      { path: `/${number}` },
      {
        onResponseData(chunk) {
          length += chunk.length;
          if (!chunk.equals(Buffer.alloc(chunk.length, number))) foreignChunks += 1;
          sent.soFar.headers = { length: String(length), foreignChunks: String(foreignChunks) };
          // Some sockets pause while the others read.
          if (number % 3 !== 0) return true;
          setImmediate(() => sent.control?.resume());
          return false;
        },
      },
    );
    return sent;
  });
  for (const [number, { answered }] of sents.entries()) {
    const { error, headers } = await answered;
    expect([number, error, headers]).toEqual([number, undefined, { length: String(BODY_BYTES), foreignChunks: '0' }]);
  }
  expect(server.connectionCount).toBe(CONNECTIONS);
});

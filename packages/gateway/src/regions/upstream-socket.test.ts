import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { upstreamConnector } from './upstream-socket.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function pool(url: string, timeoutMs = 1000): Pool {
  const made = new Pool(url, { connect: upstreamConnector(timeoutMs), connections: 2 });
  cleanUp.push(() => made.destroy());
  return made;
}

/** Bytes that tell their place. */
const pattern = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251));

test('bodies of every size arrive as they are, in both directions and on the same connections', async () => {
  const url = await listen(
    createServer((incoming, response) => {
      incoming.pipe(response);
    }),
  );
  const dispatcher = pool(url);
  for (const length of [0, 1, 300, 16_384, 16_385, 65_536, 1_000_003]) {
    const sent = pattern(length);
    const { body } = await request(url, { method: 'POST', body: sent, dispatcher });
    expect(Buffer.from(await body.arrayBuffer()).equals(sent)).toBe(true);
  }
});

test('an answer that is read slowly waits, and loses nothing', async () => {
  const sent = pattern(8_000_000);
  const url = await listen(createServer((_, response) => response.end(sent)));
  const { body } = await request(url, { dispatcher: pool(url) });
  const received: Buffer[] = [];
  for await (const chunk of body) {
    received.push(chunk as Buffer);
    if (received.length % 20 === 0) {
      body.pause();
      await delay(1);
      body.resume();
    }
  }
  expect(Buffer.concat(received).equals(sent)).toBe(true);
});

test('an answer that ends with its connection is complete', async () => {
  const server = createTcpServer((socket) => {
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${'x'.repeat(100_000)}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { body } = await request(url, { dispatcher: pool(url) });
  expect(await body.text()).toHaveLength(100_000);
});

test('a connection that breaks in the middle of an answer is an error', async () => {
  const server = createTcpServer((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345', () => socket.destroy());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { body } = await request(url, { dispatcher: pool(url) });
  await expect(body.text()).rejects.toThrow();
});

test('who does not listen, and who does not answer the call, is told apart', async () => {
  const gone = await listen(createServer());
  await cleanUp.pop()?.();
  await expect(request(gone, { dispatcher: pool(gone) })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  // An address of the range for documentation (RFC 5737): nobody is there, or the network says so itself.
  const nobody = 'http://192.0.2.1:9';
  await expect(request(nobody, { dispatcher: pool(nobody, 50) })).rejects.toMatchObject({
    code: expect.stringMatching(/^(?:UND_ERR_CONNECT_TIMEOUT|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)$/),
  });
});

test('a connection that came while this process was busy is there in time', async () => {
  const url = await listen(createServer((_, response) => response.end('here')));
  const answer = request(url, { dispatcher: pool(url, 50) });
  await delay(0);
  // The kernel connects; nobody looks.
  const untilMs = performance.now() + 100;
  while (performance.now() < untilMs);
  expect(await (await answer).body.text()).toBe('here');
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PeerLink } from './peer-link.ts';
import { findFreePorts, LAB_HOST } from './ports.ts';

let echo: Server;
let link: PeerLink;
let port: number;
beforeEach(async () => {
  const [listener = 0, own = 0] = await findFreePorts(2);
  port = own;
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  echo.listen(listener, LAB_HOST);
  await once(echo, 'listening');
  link = await PeerLink.start({ listener, link: own });
});
afterEach(async () => {
  await link.close();
  echo.close();
});

async function open(): Promise<Socket> {
  const socket = connect({ port, host: LAB_HOST });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function answerOf(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

test('nothing passes a link that is cut, and connections of then are reset when it heals', async () => {
  const before = await open();
  expect(await answerOf(before, 'one')).toBe('one');
  link.cut();
  const during = await open();
  const received: string[] = [];
  for (const socket of [before, during]) {
    socket.on('data', (data) => received.push(String(data)));
    socket.write('two');
  }
  const ends = Promise.all([before, during].map((socket) => once(socket, 'close')));
  // The way without the link shows that time enough has passed.
  const direct = connect({ port: (echo.address() as AddressInfo).port, host: LAB_HOST });
  await once(direct, 'connect');
  expect(await answerOf(direct, 'two')).toBe('two');
  direct.destroy();
  link.heal();
  await ends;
  expect(received).toEqual([]);
  const after = await open();
  expect(await answerOf(after, 'three')).toBe('three');
  after.destroy();
});

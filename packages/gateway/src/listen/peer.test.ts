import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Peers } from './peer.ts';

test('a connection is one peer for life, with one listener', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  const peers = new Peers();
  const peer = peers.of(socket);
  const listenerCount = socket.listenerCount('close');
  expect(peers.of(socket)).toBe(peer);
  expect(socket.listenerCount('close')).toBe(listenerCount);
  let goneCount = 0;
  peer.requests.push({ onClientGone: () => (goneCount += 1) });
  client.destroy();
  await once(socket, 'close');
  expect([goneCount, peer.requests]).toEqual([1, []]);
  server.close();
});

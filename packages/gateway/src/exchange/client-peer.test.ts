import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describePeer } from '@causeway/http/peer.ts';
import { expect, test } from 'vitest';
import { meetClient } from './client-peer.ts';

test('the requests of a connection learn of its end', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  const peer = meetClient(describePeer(socket), socket);
  expect(peer).toMatchObject({ address: '127.0.0.1', port: client.localPort, scheme: 'http', identity: undefined });
  let goneCount = 0;
  peer.requests.push({ onClientGone: () => (goneCount += 1) });
  client.destroy();
  await once(socket, 'close');
  expect([goneCount, peer.requests]).toEqual([1, []]);
  server.close();
});

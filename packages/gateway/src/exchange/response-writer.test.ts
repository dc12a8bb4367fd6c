import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { ResponseWriter } from './response-writer.ts';
import { TurnBatch } from './turn-batch.ts';

test('a stream to a client that reads slowly continues once, however many chunks were written', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  const writer = new ResponseWriter({
    request: { message: request },
    response,
    context: { writes: new TurnBatch() },
    owner: { onResponseEnded: () => {} },
  });
  writer.startStream(200, [], []);
  let drainCount = 0;
  const drained = Promise.withResolvers<void>();
  const onDrain = (): void => {
    drainCount += 1;
    drained.resolve();
  };
  // More than the kernel takes for a client that does not read.
  const results = Array.from({ length: 500 }, () => writer.writeChunk(Buffer.alloc(65_536), onDrain));
  expect(results.at(-1)).toBe(false);
  expect(response.listenerCount('drain')).toBe(1);
  client.resume();
  await drained.promise;
  expect(drainCount).toBe(1);
  client.destroy();
  server.closeAllConnections();
  server.close();
});

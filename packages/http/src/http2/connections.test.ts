import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { FLAG, FRAME, FrameClient, frame, get } from '../../../../test/harness/http2-frames.ts';
import { until } from '../../../../test/harness/until.ts';
import { openConnection } from '../connection.ts';
import { describePeer, type Peer } from '../peer.ts';
import type { Http2Arrival } from './connection.ts';
import { Http2Connections } from './connections.ts';

let server: Server;
let connections: Http2Connections<Peer>;
afterEach(() => {
  connections.close();
  server.close();
});

/** Returns the URL. */
async function start(serve: (arrival: Http2Arrival) => void, limits: { idleTimeoutMs?: number } = {}): Promise<string> {
  connections = new Http2Connections({
    maxConcurrentStreams: 128,
    limits: {
      maxUrlBytes: 1_000,
      maxHeaderBytes: 1_000,
      headersTimeoutMs: 200,
      requestTimeoutMs: 60_000,
      bodyTimeoutMs: 60_000,
      responseTimeoutMs: () => 60_000,
      idleTimeoutMs: 60_000,
      ...limits,
    },
    serve,
    corsHeaders: () => [],
    onRefused: () => {},
    onUnread: () => {},
  });
  server = createServer((socket) => connections.begin(openConnection(socket, describePeer(socket, 'h2'))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('of the requests of one connection at most 32 are served before others have their turn', async () => {
  let isDone = false;
  let servedInTurn = 0;
  const counts: number[] = [];
  const turn = (): void => {
    if (servedInTurn > 0) counts.push(servedInTurn);
    servedInTurn = 0;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const client = await FrameClient.open(
    await start(({ response }) => {
      servedInTurn += 1;
      response.writeHead(200, []).end();
    }),
  );
  client.write(...Array.from({ length: 100 }, (_, index) => get(index * 2 + 1)));
  await until('the last one is answered', () => client.isAnswered(199));
  isDone = true;
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
  expect(Math.max(...counts)).toBeLessThanOrEqual(32);
  client.socket.destroy();
});

test('a connection without a stream is closed in order after its time, whatever else the client sends', async () => {
  const url = await start(() => {}, { idleTimeoutMs: 500 });
  const idle = await FrameClient.open(url);
  const waiting = await FrameClient.open(url);
  waiting.write(get(1));
  const pings = setInterval(() => idle.write(frame(FRAME.ping, 0, 0, Buffer.alloc(8))), 50);
  await until('the idle one is closed', () => idle.isClosed);
  clearInterval(pings);
  expect(idle.frames.some(({ type, flags }) => type === FRAME.ping && flags === FLAG.ack)).toBe(true);
  expect(idle.goawayCode).toBe(0);
  expect(waiting.isClosed).toBe(false);
  expect(waiting.goaways).toEqual([]);
  waiting.socket.destroy();
});

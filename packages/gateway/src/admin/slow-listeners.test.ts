/** Clients of the admin port that do not read, and hundreds of listeners: each costs little, and others are served. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask, watchLive } from '../../../../test/harness/admin.ts';
import { regions, startGateway, type TestGateway } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';

const MAX_STREAMS = 100;
const EVENT_BYTES = 100_000;

let gw: TestGateway;
const clients: Socket[] = [];

beforeEach(async () => {
  gw = await startGateway({ regions: regions({ east: 'http://127.0.0.1:1' }), limits: { answerTimeoutMs: 2_000 } });
});
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  await gw.close();
});

/** Sends a GET, and does not read the response before the test does. */
async function get(path: string, headers = ''): Promise<Socket> {
  const { hostname, port } = new URL(gw.adminUrl);
  const socket = connect(Number(port), hostname);
  clients.push(socket);
  socket.on('error', () => {});
  socket.pause();
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`);
  return socket;
}

async function textOf(socket: Socket, isEnough: (text: string) => boolean): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  socket.resume();
  await until('the text has arrived', () => isEnough(text));
  return text;
}

/** Returns everything until the gateway ends the connection. */
async function restOf(socket: Socket): Promise<string> {
  const pieces: string[] = [];
  let isClosed = false;
  socket.setEncoding('latin1').on('data', (piece: string) => pieces.push(piece));
  socket.once('close', () => {
    isClosed = true;
  });
  socket.resume();
  await until('the connection ends', () => isClosed);
  return pieces.join('');
}

function emit(bytes: number): void {
  gw.gateway.events.emit({ type: 'reloadRefused', file: 'x', reason: 'r'.repeat(bytes) });
}

test('both kinds of streams share a limit, and one that ends makes room', async () => {
  for (let index = 0; index < MAX_STREAMS; index += 1) {
    const socket = await get(index % 2 === 0 ? '/api/live' : '/api/events');
    await textOf(socket, (text) => text.includes(': connected'));
  }
  for (const path of ['/api/live', '/api/events']) {
    const refused = await ask(`${gw.adminUrl}${path}`);
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body: { error_code: 503 } });
    expect(refused.body.message).toContain(`${MAX_STREAMS} open event streams`);
  }
  expect((await ask(`${gw.adminUrl}/api/events`, { headers: { accept: 'application/json' } })).status).toBe(200);
  clients[0]?.destroy();
  await until('there is room', async () => {
    const socket = await get('/api/events');
    return (await textOf(socket, (text) => text.includes('\r\n\r\n'))).startsWith('HTTP/1.1 200');
  });
});

test('a slow listener is closed at a small backlog, and continues with Last-Event-ID', async () => {
  const good = await watchLive(gw.adminUrl);
  let count = 0;
  const untilSent = async (bytes: number): Promise<void> => {
    for (const last = count + bytes / EVENT_BYTES; count < last; count += 1) {
      emit(EVENT_BYTES);
      await until('the other listener has the event', () => good.events.length > count);
    }
  };
  const isLater = 'last-event-id: 1000000\r\n';
  const first = await get('/api/events', isLater);
  // Much more than both kernels buffer: the gateway closes this listener in any case.
  await untilSent(20_000_000);
  const takenBySystem = (await restOf(first)).length;
  const second = await get('/api/events', isLater);
  await untilSent(takenBySystem + 3_000_000);
  const text = await restOf(second);
  expect(text.length).toBeLessThan(takenBySystem + 2_000_000);
  good.close();
  const lastId = Number(/.*id: (\d+)\n/s.exec(text)?.[1]);
  const again = await watchLive(gw.adminUrl, { 'last-event-id': String(lastId - 1) });
  await until('the missed events arrive', () => again.events.length > 1);
  expect(again.events[0]?.id).toBe(lastId);
  again.close();
});

test.each([
  ['a stream of events', '/api/events', ''],
  ['the live stream', '/api/live', ''],
  ['an answer', '/api/events', 'accept: application/json\r\n'],
])('a client that takes no byte of %s in time loses its connection', async (_, path, headers) => {
  // More than both kernels buffer.
  for (let count = 0; count < 200; count += 1) emit(EVENT_BYTES);
  const socket = await get(path, headers);
  let isClosed = false;
  socket.once('close', () => {
    isClosed = true;
  });
  // An empty line before a request means nothing (RFC 9112 §2.2); a connection that was reset does not take it.
  await until('the connection is cut', () => {
    socket.write('\r\n');
    return isClosed;
  });
  expect((await ask(`${gw.adminUrl}/healthy`)).status).toBe(200);
});

/** TLS connections are opened a few at a time, and requests that wait for one take what becomes idle. */
import { describe, expect, test } from 'vitest';
import { send, TCP, textOf, tlsWire } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import { HandshakePace } from './handshake-pace.ts';

const TLS = tlsWire();
const COUNT = 50;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('requests open eight connections in a turn of the event loop, in their order', async () => {
  const opened: number[] = [];
  const pace = new HandshakePace<number>((request) => opened.push(request));
  for (const number of numbers(20)) pace.add(number);
  expect(opened).toEqual(numbers(8));
  // What comes later in the turn waits, too.
  await Promise.resolve();
  pace.add(20);
  expect(pace.waitingCount).toBe(13);
  await turn();
  expect(opened).toEqual(numbers(16));
  await turn();
  expect(opened).toEqual(numbers(21));
  await turn();
  await turn();
  pace.add(21);
  expect(opened).toEqual(numbers(22));
});

test('the request that waits for the longest time is taken, if it fits', async () => {
  const pace = new HandshakePace<number>(() => {});
  for (const number of numbers(10)) pace.add(number);
  expect(pace.take((request) => request !== 8)).toBeUndefined();
  expect(pace.take(() => true)).toBe(8);
  expect(pace.clear()).toEqual([9]);
  expect(pace.take(() => true)).toBeUndefined();
});

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('a pool over TLS', () => {
  test('serves requests that wait over connections that became idle', async () => {
    const server = await TLS.listen((socket) => socket.on('data', () => socket.write(OK)));
    const pool = TLS.pool(server.url);
    const texts = await Promise.all(numbers(COUNT).map(() => textOf(pool)));
    expect(texts).toEqual(numbers(COUNT).map(() => 'ok'));
    expect(server.connectionCount).toBeLessThan(COUNT);
  });

  test('opens one for each request that must have a new one', async () => {
    const server = await TLS.listen((socket) => socket.on('data', () => socket.write(OK)));
    const pool = TLS.pool(server.url);
    let endCount = 0;
    for (const _ of numbers(COUNT)) {
      const handler = {
        onRequestStart: () => true,
        onResponseStart: () => {},
        onResponseData: () => true,
        onResponseEnd: () => (endCount += 1),
        onResponseError: () => {},
      };
      pool.dispatch({ method: 'GET', path: '/', headers: [], body: undefined }, handler, { isFresh: true });
    }
    await until('all have their responses', () => endCount === COUNT);
    expect(server.connectionCount).toBe(COUNT);
  });

  test('closes after the requests that wait', async () => {
    const server = await TLS.listen((socket) => socket.on('data', () => socket.write(OK)));
    const pool = TLS.pool(server.url);
    const texts = numbers(COUNT).map(() => textOf(pool));
    await pool.close();
    expect(await Promise.all(texts)).toEqual(numbers(COUNT).map(() => 'ok'));
  });

  test('fails the requests that wait when it is destroyed', async () => {
    const server = await TLS.listen((socket) => socket.on('data', () => socket.write(OK)));
    const pool = TLS.pool(server.url);
    const answers = numbers(COUNT).map(() => send(pool).answered);
    await pool.destroy();
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ hasStarted: false, error: { code: 'CLOSED' } });
    }
    await until('no connection is left', () => server.sockets.size === 0);
  });

  test('lets an urgent request pass those that wait', async () => {
    const paths: string[] = [];
    const server = await TLS.listen((socket) =>
      socket.on('data', (bytes) => paths.push(/^GET (\S+)/.exec(bytes.toString())?.[1] ?? '')),
    );
    const pool = TLS.pool(server.url);
    for (const _ of numbers(COUNT)) send(pool, { path: '/waits' });
    const handler = {
      onRequestStart: () => true,
      onResponseStart: () => {},
      onResponseData: () => true,
      onResponseEnd: () => {},
      onResponseError: () => {},
    };
    pool.dispatch({ method: 'GET', path: '/urgent', headers: [], body: undefined }, handler, { isUrgent: true });
    await until('it has arrived', () => paths.includes('/urgent'));
    expect(paths.length).toBeLessThan(COUNT / 2);
  });
});

test('a pool over TCP opens a connection for each request at once', async () => {
  const server = await TCP.listen((socket) => socket.on('data', () => socket.write(OK)));
  const pool = TCP.pool(server.url);
  const texts = numbers(COUNT).map(() => textOf(pool));
  await Promise.all(texts);
  expect(server.connectionCount).toBe(COUNT);
});

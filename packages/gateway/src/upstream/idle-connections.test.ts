/** Bytes that reach an idle connection never become a response, and no request is lost on a connection that ended while idle. */
import { once } from 'node:events';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Listening,
  listen,
  poolOf,
  type Sent,
  says,
  send,
  TCP,
  textOf,
  tlsWire,
  type Wire,
} from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';

const TLS = tlsWire();
const WIRES = [
  ['TCP', TCP],
  ['TLS', TLS],
] as const;

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const EVIL = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';

interface Target extends Listening {
  requestCount: () => number;
  /** Does `touch` to its connection, of which there is one. */
  touch: (touch: Touch) => void;
}

/** `tcp` is under `socket`, or the same. */
type Touch = (socket: Socket, tcp: Socket) => void;

/** Answers each request with OK, and counts them. */
async function target(wire: Wire = TCP): Promise<Target> {
  let requestCount = 0;
  let touchLast: Target['touch'] = () => {};
  const server = await wire.listen((socket, tcp) => {
    touchLast = (touch) => touch(socket, tcp);
    socket.on('data', () => {
      requestCount += 1;
      socket.write(OK);
    });
  });
  return Object.assign(server, { requestCount: () => requestCount, touch: (touch: Touch) => touchLast(touch) });
}

/** A socket of this process whose bytes a test can order before or after those of a target. */
async function bell(): Promise<{ ring: () => void; rung: Promise<unknown> }> {
  const server = await says('');
  const client = connect(Number(new URL(server.url).port), '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
  });
  await until('the bell is connected', () => server.sockets.size === 1);
  const [socket] = server.sockets;
  return { ring: () => socket?.write('now'), rung: once(client, 'data') };
}

/** How a target touches an idle connection. */
const TOUCHES: readonly (readonly [what: string, touch: Touch])[] = [
  ['an unsolicited response', (socket) => socket.write(EVIL)],
  ['half a response', (socket) => socket.write(EVIL.slice(0, 20))],
  ['a byte', (socket) => socket.write('\n')],
  ['an end', (socket) => socket.end()],
  ['an end of TCP', (_, tcp) => tcp.end()],
  ['a reset', (_, tcp) => tcp.resetAndDestroy()],
  ['a response and an end', (socket) => socket.end(EVIL)],
];

describe.each(WIRES)('on an idle connection over %s', (_, wire) => {
  test.each(TOUCHES)('%s closes it, and the next request uses a new one', async (_what, touch) => {
    const server = await target(wire);
    const pool = wire.pool(server.url);
    await textOf(pool);
    server.touch(touch);
    await until('the connection is closed', () => server.sockets.size === 0);
    expect(await textOf(pool)).toBe('ok');
    expect([server.connectionCount, server.requestCount()]).toEqual([2, 2]);
  });
});

// Over TLS the target's bytes leave some turns after it wrote them: tls.test.ts orders them.
describe.each(TOUCHES)('%s on an idle connection', (_, touch) => {
  test.each([
    ['just before', true],
    ['just after', false],
  ])('that the event loop sees %s the next request closes it, too', async (_when, isTouchFirst) => {
    const server = await target();
    const pool = poolOf(server.url);
    await textOf(pool);
    const { ring, rung } = await bell();
    const answer = rung.then(() => send(pool).answered);
    // Both wait for the same turn of the event loop, in this order.
    if (!isTouchFirst) ring();
    server.touch(touch);
    if (isTouchFirst) ring();
    const { error, body } = await answer;
    expect([error, body.toString()]).toEqual([undefined, 'ok']);
    // The first connection never carried the second request, so nothing is in doubt and nothing is retried.
    expect([server.connectionCount, server.requestCount()]).toEqual([2, 2]);
  });
});

test('bytes that arrive in the very turn in which the request is sent are no response to it', async () => {
  // The target has a thread of its own, so that it writes while this one is held up in a turn.
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(
    `const { parentPort, workerData: shared } = require('node:worker_threads');
    let requestCount = 0;
    const server = require('node:net').createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => {
        requestCount += 1;
        socket.write(${JSON.stringify(OK)});
        if (requestCount > 1) return;
        parentPort.once('message', () => {});
        setImmediate(function wait() {
          if (Atomics.load(shared, 0) === 0) return setImmediate(wait);
          socket.write(${JSON.stringify(EVIL)}, () => { Atomics.store(shared, 1, 1); Atomics.notify(shared, 1); });
        });
      });
    });
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
    { eval: true, workerData: shared },
  );
  onTestFinished(async () => void (await worker.terminate()));
  const [port] = (await once(worker, 'message')) as [number];
  const pool = poolOf(`http://127.0.0.1:${port}`);
  await textOf(pool);
  const { promise, resolve } = Promise.withResolvers<Sent>();
  const server = await listen(
    createTcpServer((socket) => {
      socket.once('data', () => {
        Atomics.store(shared, 0, 1);
        Atomics.wait(shared, 1, 0);
        resolve(send(pool));
      });
    }),
  );
  connect(Number(new URL(server.url).port), '127.0.0.1').end('now');
  const { error, body } = await (await promise).answered;
  expect([error, body.toString()]).toEqual([undefined, 'ok']);
});

test('requests that wait for the check are sent by a closing pool, and fail with a destroyed one', async () => {
  const server = await target();
  const closing = poolOf(server.url);
  await textOf(closing);
  const sent = send(closing);
  await closing.close();
  expect((await sent.answered).error).toBeUndefined();
  const destroyed = poolOf(server.url);
  await textOf(destroyed);
  const lost = send(destroyed);
  await destroyed.destroy();
  expect(await lost.answered).toMatchObject({ hasStarted: false, error: { code: 'CLOSED' } });
});

describe.each(WIRES)('a failed request over %s reports', (_, wire) => {
  /** Answers the first request of each connection, and does `then` at the second one. */
  const answersOnce = (then: Touch): Promise<Listening> =>
    wire.listen((socket, tcp) => {
      socket.once('data', () => {
        socket.write(OK);
        socket.once('data', () => then(socket, tcp));
      });
    });
  const facts = ({ control }: Sent): unknown => [control?.isReused, control?.hasResponseBegun];

  test('a reused connection, and that no byte of the response arrived', async () => {
    const server = await answersOnce((_socket, tcp) => tcp.resetAndDestroy());
    const pool = wire.pool(server.url);
    const first = send(pool);
    await first.answered;
    expect(facts(first)).toEqual([true, true]);
    const second = send(pool);
    expect(await second.answered).toMatchObject({ status: 0, error: { code: 'ECONNRESET' } });
    expect(facts(second)).toEqual([true, false]);
  });

  test('that part of the response arrived, even less than a head', async () => {
    for (const begun of ['H', 'HTTP/1.1 100 Continue\r\n\r\n']) {
      const server = await answersOnce((socket) => socket.end(begun));
      const pool = wire.pool(server.url);
      await textOf(pool);
      const second = send(pool);
      expect(await second.answered).toMatchObject({ status: 0, error: { code: 'ECONNRESET' } });
      expect(facts(second)).toEqual([true, true]);
    }
  });

  test('a new connection', async () => {
    const server = await wire.listen((socket) => socket.once('data', () => socket.end()));
    const sent = send(wire.pool(server.url));
    await sent.answered;
    expect(facts(sent)).toEqual([false, false]);
  });
});

/** A keep-alive connection that the only target closes just as a request is on its way: the client notices nothing. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { startUpstream } from '../../../test/harness/upstream.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface ClosingTarget {
  url: string;
  /** Requests that came, with whether they were answered. */
  requests: { line: string; isAnswered: boolean }[];
  /** It closes every connection at its first request. */
  isDying: boolean;
}

/** Answers the first request of each connection, and closes it at the first byte of the second one. */
async function closingTarget(leave: (socket: Socket) => void): Promise<ClosingTarget> {
  const target: ClosingTarget = { url: '', requests: [], isDying: false };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let count = 0;
    socket.on('data', (bytes) => {
      const line = bytes.toString('latin1').split('\r\n', 1)[0] ?? '';
      if (!/ HTTP\/1\.1$/.test(line)) return;
      count += 1;
      const isAnswered = count < 2 && !target.isDying;
      target.requests.push({ line, isAnswered });
      if (isAnswered) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      else leave(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  target.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return target;
}

const LEAVE = { end: (socket: Socket) => socket.end(), reset: (socket: Socket) => socket.resetAndDestroy() };

async function over(target: ClosingTarget, overrides: object = {}): Promise<TestGateway> {
  // Probes have a server of their own: they share connections with requests, and would take the one that is to be used again.
  const probed = await startUpstream();
  cleanups.push(() => probed.kill());
  const gw = await startGateway({
    regions: [{ name: 'east', targets: [{ url: target.url, healthUrl: probed.url }] }],
    breaker: { minRequests: 1, errorPercent: 1 },
    ...overrides,
  });
  cleanups.push(gw.close);
  return gw;
}

async function ask(url: string, method: string): Promise<number> {
  const body = ['POST', 'PUT', 'PATCH'].includes(method) ? { body: '{}' } : {};
  const answer = await request(url, { method: method as 'GET', ...body });
  await answer.body.dump();
  return answer.statusCode;
}

const REQUESTS = [
  ...OPERATIONS.filter(({ kind }) => kind !== 'management'),
  { operation: 'HEAD', method: 'HEAD', path: '/topics/t' },
  { operation: 'OPTIONS', method: 'OPTIONS', path: '/topics/t' },
];

test.each(Object.keys(LEAVE) as (keyof typeof LEAVE)[])(
  'every request is sent once more over a new connection (%s)',
  async (way) => {
    const target = await closingTarget(LEAVE[way]);
    const gw = await over(target);
    for (const { operation, method, path } of REQUESTS) {
      const url = `${gw.url}${path.replaceAll(/:(\w+)/g, (_, name) => (name === 'partition' ? '0' : name))}`;
      // Makes a connection that has carried a request.
      expect(await ask(`${gw.url}/topics`, 'GET')).toBe(200);
      target.requests.length = 0;
      expect([operation, await ask(url, method)]).toEqual([operation, 200]);
      expect([operation, target.requests.map(({ isAnswered }) => isAnswered)]).toEqual([operation, [false, true]]);
    }
    expect(gw.gateway.events.recent().filter(({ type }) => type === 'breaker')).toEqual([]);
  },
);

test('a produce request that must not be stored twice is not: whether the target read it is not known', async () => {
  const target = await closingTarget(LEAVE.end);
  const gw = await over(target, { retry: { produce: 'at-most-once' } });
  expect(await ask(`${gw.url}/topics`, 'GET')).toBe(200);
  target.requests.length = 0;
  expect(await ask(`${gw.url}/topics/t`, 'POST')).toBe(502);
  expect(target.requests).toHaveLength(1);
});

test('a target that closes the new connection, too, is asked no third time', async () => {
  const target = await closingTarget(LEAVE.reset);
  const gw = await over(target);
  expect(await ask(`${gw.url}/topics`, 'GET')).toBe(200);
  target.requests.length = 0;
  target.isDying = true;
  expect(await ask(`${gw.url}/topics/t`, 'POST')).toBe(502);
  expect(target.requests).toHaveLength(2);
});

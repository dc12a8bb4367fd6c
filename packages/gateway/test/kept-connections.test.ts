/** Requests on connections that probes keep open: a target may close one at any moment, and may also die of the request. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../../test/harness/until.ts';
import { gateway, produce } from './fixture.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** What a target does with a request: `position` 1 is the first on its connection. */
type React = (request: { text: string; position: number }) => 'respond' | 'close' | 'die';

interface Target {
  url: string;
  /** Of each request but probes: its position on its connection, and its mark as a suspect. */
  seen: [position: number, suspect: string | undefined][];
}

/** Answers probes on connections that stay open. */
async function target(react: React): Promise<Target> {
  const sockets = new Set<Socket>();
  const seen: Target['seen'] = [];
  const server = createServer((socket) => {
    let position = 0;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (!/^[A-Z]+ \//.test(text)) return;
      position += 1;
      if (text.startsWith('GET /ready')) {
        socket.write(OK);
        return;
      }
      seen.push([position, new RegExp(`${SUSPECT_HEADER}: (\\d)`).exec(text)?.[1]]);
      const reaction = react({ text, position });
      if (reaction === 'respond') socket.write(OK);
      else socket.destroy();
      if (reaction !== 'die') return;
      server.close();
      for (const other of sockets) other.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** One region for each target, asked in turn, and no probe after the first. */
async function gatewayOver(targets: readonly Target[], more = {}): Promise<string> {
  const gw = await gateway({
    regions: targets.map(({ url }, priority) => ({ name: 'abc'[priority], priority, targets: [{ url }] })),
    healthCheck: { intervalMs: 300_000, timeoutMs: 2_000, rise: 1 },
    ...more,
  });
  await until(
    'each target is healthy',
    () => gw.gateway.events.recent().filter((event) => event.type === 'health').length === targets.length,
  );
  return gw.url;
}

const isStale: React = ({ position }) => (position > 1 ? 'close' : 'respond');
const isDead: React = () => 'close';

test('a request leaves over a new connection for each target that closed the kept one, and no target is suspected', async () => {
  const [a, b, c] = await Promise.all([target(isDead), target(isStale), target(() => 'respond')]);
  const response = await request(`${await gatewayOver([a, b, c])}/topics`);
  expect([response.statusCode, await response.body.text()]).toEqual([200, 'ok']);
  expect(a.seen).toEqual([
    [2, undefined],
    [1, undefined],
  ]);
  // The one mark is for the first target, which failed over a new connection, too.
  expect(b.seen).toEqual([
    [2, '1'],
    [1, '1'],
  ]);
  expect(c.seen).toEqual([]);
});

test('the target that closed the kept connection gets the request again without a mark', async () => {
  const [a, b] = await Promise.all([target(isStale), target(() => 'respond')]);
  const response = await request(`${await gatewayOver([a, b])}/topics`);
  expect(response.statusCode).toBe(200);
  expect([a.seen, b.seen]).toEqual([
    [
      [2, undefined],
      [1, undefined],
    ],
    [],
  ]);
});

test('a request that kills its targets over kept connections takes down two, and never a third', async () => {
  const targets = await Promise.all(Array.from({ length: 3 }, () => target(() => 'die')));
  const response = await request(`${await gatewayOver(targets)}/topics/t`, produce);
  expect(response.statusCode).toBe(502);
  expect(await response.body.text()).toContain('not sent to a third');
  expect(targets.map(({ seen }) => seen)).toEqual([[[2, undefined]], [[2, '1']], []]);
});

test('a body that is streamed, and cannot be sent twice, leaves over a new connection', async () => {
  const a = await target(isStale);
  const url = await gatewayOver([a], { request: { bufferBytes: 1_000 } });
  const body = JSON.stringify({ records: [{ value: 'x'.repeat(5_000) }] });
  const response = await request(`${url}/topics/t`, { ...produce, body });
  expect(response.statusCode).toBe(200);
  expect(a.seen).toEqual([[1, undefined]]);
});

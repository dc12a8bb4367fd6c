/** A connection past its age carries no further request, and none ends in the middle of one. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { http, listen, poolOf, send, TCP, textOf, tlsWire } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe.each([
  ['TCP', TCP],
  ['TLS', tlsWire()],
])('a connection over %s', (_, wire) => {
  test('that is idle carries no request after its age', async () => {
    const server = await wire.listen((socket) => socket.on('data', () => socket.write(OK)));
    let nowMs = 0;
    const pool = wire.pool(server.url, { maxAgeMs: 10_000, now: () => nowMs }, { random: () => 0 });
    await textOf(pool);
    nowMs = 9_999;
    await textOf(pool);
    expect(server.connectionCount).toBe(1);
    nowMs = 10_000;
    await textOf(pool);
    await until('the first one is closed', () => server.sockets.size === 1);
    expect(server.connectionCount).toBe(2);
  });

  test('whose request outlives its age ends with that request, complete', async () => {
    let target: Socket | undefined;
    const server = await wire.listen((socket) => {
      target = socket;
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlo'));
    });
    let nowMs = 0;
    const pool = wire.pool(server.url, { maxAgeMs: 10_000, now: () => nowMs }, { random: () => 0 });
    const poll = send(pool);
    await until('half of the response has arrived', () => poll.soFar.body.length === 2);
    nowMs = 1_000_000;
    target?.write('ng');
    const { error, body } = await poll.answered;
    expect([error, body.toString()]).toEqual([undefined, 'long']);
    await until('it is closed', () => server.sockets.size === 0);
  });
});

test('an idle connection closes at its age, although it may stay idle for longer', async () => {
  const server = await http((_, response) => response.end('here'));
  const pool = poolOf(server.url, { maxAgeMs: 50, keepAliveMs: 3_600_000 });
  await textOf(pool);
  await until('it is closed', () => server.sockets.size === 0);
});

test('connections of one moment end spread over the last tenth of their age', async () => {
  const waiting: (() => void)[] = [];
  const server = await http((_, response) => waiting.push(() => response.end('here')));
  let nowMs = 0;
  const draws = Array.from({ length: 10 }, (_, index) => index / 10);
  const random = (): number => draws.shift() ?? 0;
  const pool = poolOf(server.url, { maxAgeMs: 10_000, keepAliveMs: 1_000_000, now: () => nowMs }, { random });
  const texts = Promise.all(Array.from({ length: 10 }, () => textOf(pool)));
  await until('all are there', () => waiting.length === 10);
  // The ages are 9100, 9200, … 10000.
  nowMs = 9_450;
  for (const answer of waiting.splice(0)) answer();
  await texts;
  await until('four have ended', () => server.sockets.size === 6);
});

test('without a limit of age a connection stays', async () => {
  const server = await http((_, response) => response.end('here'));
  let nowMs = 0;
  const pool = poolOf(server.url, { maxAgeMs: 0, keepAliveMs: 600_000, now: () => nowMs });
  for (const _ of Array.from({ length: 20 })) {
    await textOf(pool);
    // Less than the server keeps it.
    nowMs += 50_000;
  }
  expect(server.connectionCount).toBe(1);
});

test('under load, connections that end all the time fail no request', async () => {
  const server = await listen(createServer((incoming, response) => incoming.pipe(response)));
  let sentCount = 0;
  // Each request takes a millisecond of this clock.
  const pool = poolOf(server.url, { maxAgeMs: 20, now: () => sentCount });
  const client = async (): Promise<void> => {
    for (; sentCount < 400; ) {
      sentCount += 1;
      const body = Buffer.from(String(sentCount));
      const answer = await send(pool, { method: 'POST', body }).answered;
      expect([answer.error, answer.status, answer.body.toString()]).toEqual([undefined, 200, body.toString()]);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  expect(server.connectionCount).toBeGreaterThan(8 * 10);
});

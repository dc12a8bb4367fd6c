import { createServer as createTcpServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { http, listen, poolOf, says, textOf } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import { fetchOnce } from './fetch-once.ts';

const GET = { method: 'GET', path: '/', headers: [] };
const within = (ms: number) => ({ signal: AbortSignal.timeout(ms), maxBodyBytes: 1_000 });

describe('fetchOnce', () => {
  test('returns status, headers and the body up to its limit', async () => {
    const server = await http((_, response) => response.writeHead(418, { 'x-own': 'a' }).end('x'.repeat(100_000)));
    const answer = await fetchOnce(poolOf(server.url), GET, within(20_000));
    expect(answer).toMatchObject({ status: 418, headers: { 'x-own': 'a' } });
    expect(answer.body.toString()).toBe('x'.repeat(1_000));
  });

  test('fails with the connection, or with its signal', async () => {
    const silent = await http(() => {});
    const signal = AbortSignal.abort();
    await expect(fetchOnce(poolOf(silent.url), GET, { signal, maxBodyBytes: 0 })).rejects.toMatchObject({
      name: 'AbortError',
    });
    await expect(fetchOnce(poolOf(silent.url), GET, within(30))).rejects.toMatchObject({ name: 'TimeoutError' });
    await until('the connection is closed', () => silent.sockets.size === 0);
    await silent.close();
    await expect(fetchOnce(poolOf(silent.url), GET, within(20_000))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('resends a request over a new connection when the target closes an idle one under it', async () => {
    let requestCount = 0;
    const server = await listen(
      createTcpServer((socket) => {
        let isFirst = true;
        socket.on('data', () => {
          requestCount += 1;
          if (!isFirst) socket.resetAndDestroy();
          else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
          isFirst = false;
        });
      }),
    );
    const pool = poolOf(server.url);
    await textOf(pool);
    expect((await fetchOnce(pool, GET, within(20_000))).status).toBe(200);
    expect([requestCount, server.connectionCount]).toEqual([3, 2]);
  });

  test('fails when the new connection closes too, or when part of a response arrived', async () => {
    let text = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
    const server = await says('', (socket) => {
      if (text === '') socket.resetAndDestroy();
      else socket.write(text, () => text.endsWith('ok') || socket.end());
    });
    for (const next of ['', 'HTTP/1.1 200 OK\r\nconte']) {
      text = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
      const pool = poolOf(server.url);
      await textOf(pool);
      const before = server.connectionCount;
      text = next;
      await expect(fetchOnce(pool, GET, within(20_000))).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(server.connectionCount - before).toBe(next === '' ? 1 : 0);
    }
  });
});

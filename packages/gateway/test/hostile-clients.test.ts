/** What a gateway responds to odd and hostile clients. Malformed requests are in test/hostile and test/http-heads.test.ts. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, rawExchange, upstream } from './fixture.ts';

describe('odd and hostile clients', () => {
  test('a CONNECT whose client resets, or stays, ends nothing and does not hold the end up', async () => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const { hostname, port } = new URL(gw.url);
    for (const leave of ['reset', 'stay'] as const) {
      const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
      socket.on('error', () => {});
      socket.write('CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n');
      if (leave === 'reset') socket.resetAndDestroy();
      else await once(socket, 'data');
      onTestFinished(() => {
        socket.destroy();
      });
    }
    expect((await request(`${gw.url}/topics`)).statusCode).toBe(200);
    await gw.close();
  });

  test('a length of 00 is no body', async () => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }) });
    expect(
      await rawExchange(
        gw.url,
        'POST /topics/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 00\r\n\r\n',
      ),
    ).toMatch(/^HTTP\/1\.1 200/);
  });

  test('a body that turns out too large while its answer is streamed breaks that connection alone', async () => {
    const east = await upstream();
    const gw = await gateway({
      regions: regions({ east: east.url }),
      request: { bufferBytes: 10, maxBodyBytes: 1_000 },
      response: { bufferBytes: 10 },
    });
    await east.kill();
    // Answers before it has read: only a bare server does that.
    const early = createHttpServer((received, response) => {
      received.resume();
      response.writeHead(200).write('x'.repeat(100));
    }).listen(east.port, '127.0.0.1');
    await once(early, 'listening');
    const { hostname, port } = new URL(gw.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    const chunk = `1f4\r\n${'z'.repeat(500)}\r\n`;
    socket.write(`POST /topics/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
    await once(socket, 'data');
    const closed = once(socket, 'close');
    socket.write(`${chunk}${chunk}`);
    await closed;
    early.closeAllConnections();
    early.close();
    expect((await request(`${gw.url}/healthy`)).statusCode).toBe(200);
  });

  test('garbage behind a request is answered after it', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const answer = await rawExchange(gw.url, 'GET /topics HTTP/1.1\r\nHost: x\r\n\r\n\u0000garbage\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 400 /s);
  });

  test('an upload that stalls is the client’s fault, not the region’s', async () => {
    const east = await upstream();
    const gw = await gateway({
      regions: regions({ east: east.url }),
      // The region's time would be over first, if it counted while the client stalls.
      request: { bufferBytes: 10, deadlineMs: 300, bodyTimeoutMs: 1_000 },
      breaker: { minRequests: 1 },
    });
    const answer = await rawExchange(
      gw.url,
      `POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n${'z'.repeat(100)}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(gw.gateway.events.recent().filter((event) => event.type === 'breaker')).toEqual([]);
  });

  test('a client that asks before it sends gets 100, or the reason of the refusal', async () => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }), request: { maxBodyBytes: 10 } });
    const ask = (length: number): string =>
      `POST /topics/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n${length > 10 ? '' : 'z'.repeat(length)}`;
    expect(await rawExchange(gw.url, ask(5))).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
    expect(await rawExchange(gw.url, ask(11))).toMatch(/^HTTP\/1\.1 413/);
  });

  test('a bridge’s metrics are not for clients', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    expect((await request(`${gw.url}/metrics`)).statusCode).toBe(404);
    expect(east.requests).toEqual([]);
  });
});

import { createServer } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  http,
  listen,
  pattern,
  poolOf,
  type Sent,
  says,
  send,
  TCP,
  textOf,
  tlsWire,
} from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';

const TLS = tlsWire();

describe('requests and responses', () => {
  test('bodies of every size arrive unchanged, in both directions and on one connection', async () => {
    const server = await http((incoming, response) => incoming.pipe(response));
    const pool = poolOf(server.url);
    for (const length of [0, 1, 300, 16_384, 16_385, 65_536, 1_000_003]) {
      const body = pattern(length);
      const answer = await send(pool, { method: 'POST', body }).answered;
      expect(answer.error).toBeUndefined();
      expect(answer.body.equals(body), `${length} bytes`).toBe(true);
    }
    expect(server.connectionCount).toBe(1);
  });

  test('method, path and headers arrive unchanged, and so do status and headers of the response', async () => {
    const server = await http((incoming, response) => {
      response.setHeader('x-twice', ['a', 'b']);
      response.writeHead(418).end(JSON.stringify([incoming.method, incoming.url, incoming.rawHeaders]));
    });
    const request = { method: 'DELETE', path: '/a%2Fb?c=d', headers: ['host', 'kafka.example', 'x-own', '\xe4'] };
    const { status, headers, body } = await send(poolOf(server.url), request).answered;
    expect(status).toBe(418);
    expect(headers['x-twice']).toEqual(['a', 'b']);
    expect(JSON.parse(body.toString())).toEqual([request.method, request.path, request.headers]);
  });

  test('a target may have a host name or an IPv6 address', async () => {
    for (const host of ['localhost', '[::1]']) {
      const server =
        host === 'localhost'
          ? await http((_, response) => response.end('here'), host)
          : await listen(
              createServer((_, response) => response.end('here')),
              'http',
              '::1',
            );
      expect(await textOf(poolOf(server.url.replace('//::1', '//[::1]')))).toBe('here');
    }
  });

  test('concurrent requests use a connection each, and later requests reuse them', async () => {
    const waiting: (() => void)[] = [];
    const server = await http((incoming, response) => {
      waiting.push(() => response.end(incoming.url));
    });
    const pool = poolOf(server.url);
    for (const round of [1, 2, 3]) {
      const paths = Array.from({ length: 20 }, (_, index) => `/${round}/${index}`);
      const texts = Promise.all(paths.map((path) => textOf(pool, { path })));
      await until('all requests are there', () => waiting.length === 20);
      for (const answer of waiting.splice(0).reverse()) answer();
      expect(await texts).toEqual(paths);
    }
    expect(server.connectionCount).toBe(20);
  });

  test('responses to HEAD, and responses 204 and 304, have no body', async () => {
    const server = await http((incoming, response) => {
      if (incoming.method === 'HEAD') response.writeHead(200, { 'content-length': '5' }).end();
      else response.writeHead(Number(incoming.url?.slice(1))).end();
    });
    const pool = poolOf(server.url);
    expect(await send(pool, { method: 'HEAD' }).answered).toMatchObject({ status: 200, error: undefined });
    for (const status of [204, 304, 200]) {
      expect(await send(pool, { path: `/${status}` }).answered).toMatchObject({ status, error: undefined });
    }
    // After HEAD a new connection: if the target sends a body against the rules, the next request would get it.
    expect(server.connectionCount).toBe(2);
  });

  test('informational responses are skipped', async () => {
    const server = await http((_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.writeProcessing();
      response.end('the response');
    });
    expect(await textOf(poolOf(server.url))).toBe('the response');
  });

  test('a response that ends with its connection is complete', async () => {
    const server = await says(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${'x'.repeat(100_000)}`, (socket) =>
      socket.end(),
    );
    expect(await textOf(poolOf(server.url))).toHaveLength(100_000);
  });
});

describe('connections', () => {
  test('closed by the target while idle are not reused', async () => {
    const server = await http((_, response) => response.end('here'));
    const pool = poolOf(server.url);
    expect(await textOf(pool)).toBe('here');
    const [socket] = server.sockets;
    socket?.end();
    await until('the gateway closes its side', () => server.sockets.size === 0);
    expect(await textOf(pool)).toBe('here');
    expect(server.connectionCount).toBe(2);
  });

  test('close before the time that the target keeps them (Keep-Alive)', async () => {
    const server = await http((incoming, response) => {
      response.setHeader('connection', 'keep-alive');
      response.setHeader('keep-alive', incoming.url === '/hint' ? 'timeout=3' : 'timeout=60');
      response.end('here');
    });
    const pool = poolOf(server.url);
    // The timer of the first connection is far away.
    const both = [textOf(pool), textOf(pool, { path: '/hint' })];
    await Promise.all(both);
    await until('the connection with the short time closes', () => server.sockets.size === 1);
  });

  test('that expire by the thousand at once are closed by the next request', async () => {
    const count = 2_000;
    const waiting: (() => void)[] = [];
    const server = await http((_, response) => waiting.push(() => response.end('here')));
    let nowMs = 0;
    const pool = poolOf(server.url, { keepAliveMs: 10_000, connectTimeoutMs: 60_000, now: () => nowMs });
    const texts = Promise.all(Array.from({ length: count }, () => textOf(pool)));
    await until('all requests have arrived', () => waiting.length === count);
    for (const answer of waiting.splice(0)) answer();
    await texts;
    nowMs = 20_000;
    const text = textOf(pool);
    await until('the request has arrived', () => waiting.length === 1);
    waiting.pop()?.();
    expect(await text).toBe('here');
    await until('the others are closed', () => server.sockets.size === 1);
  });

  test.each([
    ['announces the close', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['keeps them for a moment only', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=1\r\n\r\nok'],
    [
      'sends more than the response',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil',
    ],
  ])('to a target that %s are not reused', async (_, text) => {
    const server = await says(text);
    const pool = poolOf(server.url);
    for (const count of [1, 2, 3]) {
      expect(await textOf(pool)).toBe('ok');
      await until('it is closed', () => server.sockets.size === 0);
      expect(server.connectionCount).toBe(count);
    }
  });

  test('that stay idle are closed, the most recently used last', async () => {
    const waiting: (() => void)[] = [];
    const server = await http((_, response) => waiting.push(() => response.end('here')));
    const pool = poolOf(server.url, { keepAliveMs: 2_500 });
    const both = [textOf(pool), textOf(pool)];
    await until('two are open', () => waiting.length === 2);
    for (const answer of waiting.splice(0)) answer();
    await Promise.all(both);
    await until('only the connection in use stays', async () => {
      const text = textOf(pool);
      await until('the request has arrived', () => waiting.length === 1);
      waiting.pop()?.();
      await text;
      return server.sockets.size === 1;
    });
    await until('the last one closes', () => server.sockets.size === 0);
    expect(server.connectionCount).toBe(2);
  });

  test('past their idle time are not used, however late the timer is', async () => {
    const server = await http((_, response) => response.end('here'));
    let nowMs = 0;
    const pool = poolOf(server.url, { keepAliveMs: 10_000, now: () => nowMs });
    await textOf(pool);
    nowMs = 9_999;
    await textOf(pool);
    expect(server.connectionCount).toBe(1);
    nowMs += 10_000;
    await textOf(pool);
    expect(server.connectionCount).toBe(2);
  });

  test('that the kernel opened while the process was busy are in time', async () => {
    const server = await http((_, response) => response.end('here'));
    const answer = textOf(poolOf(server.url, { connectTimeoutMs: 50 }));
    await delay(0);
    // The kernel opens the connection; the event loop does not see it yet.
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
    expect(await answer).toBe('here');
  });

  test('that cannot be opened fail with the reason, and nothing is sent', async () => {
    const gone = await http(() => {});
    await gone.close();
    const refused = await send(poolOf(gone.url)).answered;
    expect(refused).toMatchObject({ hasStarted: false, error: { code: 'ECONNREFUSED' } });
    // An address of the range for documentation (RFC 5737): no host has it, and some networks report that.
    const unreachable = await send(poolOf('http://192.0.2.1:9', { connectTimeoutMs: 50 })).answered;
    expect(unreachable.hasStarted).toBe(false);
    expect(unreachable.error).toMatchObject({
      code: expect.stringMatching(/^(?:ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)$/),
    });
  });
});

describe('invalid and broken responses', () => {
  test.each([
    ['breaks off before it begins', '', 'ECONNRESET', 0],
    ['breaks off in the head', 'HTTP/1.1 200 OK\r\nconte', 'ECONNRESET', 0],
    ['breaks off in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345', 'ECONNRESET', 200],
    ['breaks off in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n12345', 'ECONNRESET', 200],
    [
      'breaks off before the last chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n1\r\n',
      'ECONNRESET',
      200,
    ],
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'BAD_RESPONSE', 0],
    ['has two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12', 'BAD_RESPONSE', 0],
  ])('one that %s is an error, after an end and after a reset', async (_, text, code, status) => {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const server = await says(text, (socket) => {
        // A reset may destroy bytes on their way: the client reads them first.
        if (leave === 'end') socket.end();
        // After the timer, the event loop polls the sockets once more, however late it is.
        else setTimeout(() => setImmediate(() => setImmediate(() => socket.resetAndDestroy())), 20);
      });
      const answer = await send(poolOf(server.url)).answered;
      expect(answer).toMatchObject({ hasStarted: true, status, error: { code } });
      await until('the connection is closed', () => server.sockets.size === 0);
    }
  });
});

/** What a target sends for the first request of a connection, what it sends late, and the status that the first request gets. */
const UNCLEAR: readonly (readonly [what: string, method: string, text: string, late: string, status: number])[] = [
  ['204 with a length', 'DELETE', 'HTTP/1.1 204 No Content\r\ncontent-length: LATE\r\n\r\n', 'late', 204],
  ['204 in chunks', 'DELETE', 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n', 'late', 204],
  ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: LATE\r\n\r\n', 'late', 304],
  ['304 in chunks', 'GET', 'HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n', 'late', 304],
  ['a response to HEAD with a body', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: LATE\r\n\r\n', 'late', 200],
  ['103 with a length', 'GET', 'HTTP/1.1 103 Early Hints\r\ncontent-length: LATE\r\n\r\n', 'late', 0],
  ['100 in chunks', 'GET', 'HTTP/1.1 100 Continue\r\ntransfer-encoding: chunked\r\n\r\n', 'late', 0],
  ['length and chunks', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n', 'late', 0],
  [
    '204 with length and chunks',
    'GET',
    'HTTP/1.1 204 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n',
    'late',
    0,
  ],
  ['two lengths', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: LATE\r\n\r\nok', 'late', 0],
  ['204 with two lengths', 'GET', 'HTTP/1.1 204 OK\r\ncontent-length: 0\r\ncontent-length: LATE\r\n\r\n', 'late', 0],
  ['a response longer than announced', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokLATERESPONSE', '', 200],
  [
    'chunks of HTTP/1.0',
    'GET',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'late',
    200,
  ],
  ['two responses at once', 'GET', 'HTTP/1.1 204 No Content\r\n\r\nLATERESPONSE', '', 204],
];

describe.each([
  ['TCP', TCP],
  ['TLS', TLS],
] as const)('a connection over %s with an unclear end of a response', (_wire, wire) => {
  const lateResponse = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';

  test.each(UNCLEAR)(
    '%s: is not reused, and the next requests get their own responses',
    async (_, method, text, late, status) => {
      const head = text.replace('LATERESPONSE', lateResponse).replaceAll('LATE', String(lateResponse.length));
      const server = await wire.listen((socket) => {
        let isUnclear = false;
        socket.on('data', (bytes) => {
          const path = /^\S+ (\S+)/.exec(bytes.toString('latin1'))?.[1] ?? '';
          if (path === '/unclear') {
            isUnclear = true;
            socket.write(head);
          }
          // The worst moment: while another request waits for its response on this connection.
          else if (isUnclear && late !== '') socket.write(lateResponse);
          else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
        });
      });
      const pool = wire.pool(server.url);
      const first = await send(pool, { method, path: '/unclear' }).answered;
      expect(first.status).toBe(status);
      for (const path of ['/a', '/b']) expect(await textOf(pool, { path })).toBe(path);
    },
  );
});

describe('pauses', () => {
  test('a response that is read slowly arrives complete, and its connection is reused', async () => {
    const bytes = pattern(8_000_000);
    let acceptedBytes = 0;
    const server = await http((_, response) => {
      const { socket } = response;
      response.end(bytes, () => {
        acceptedBytes = socket?.bytesWritten ?? 0;
      });
    });
    const pool = poolOf(server.url);
    let pauseCount = 0;
    const chunks: Buffer[] = [];
    const sent: Sent = send(
      pool,
      {},
      {
        onResponseData: (chunk) => {
          chunks.push(chunk);
          if (chunks.length % 10 !== 0) return true;
          pauseCount += 1;
          setTimeout(() => sent.control?.resume(), 1);
          return false;
        },
      },
    );
    expect((await sent.answered).error).toBeUndefined();
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(pauseCount).toBeGreaterThan(5);
    expect(acceptedBytes).toBeGreaterThan(bytes.length);
    await textOf(pool);
    expect(server.connectionCount).toBe(1);
  });

  test('a paused response is not read from the target', async () => {
    const server = await http((_, response) => {
      const write = (): void => {
        while (response.write(pattern(65_536)));
        response.once('drain', write);
      };
      write();
    });
    let chunkCount = 0;
    const sent = send(
      poolOf(server.url),
      {},
      {
        onResponseData: () => {
          chunkCount += 1;
          return false;
        },
      },
    );
    await until('the first bytes have arrived', () => chunkCount > 0);
    await delay(50);
    // At most what the socket had read with the first bytes.
    expect(chunkCount).toBeLessThan(5);
    await until('more arrives', () => {
      sent.control?.resume();
      return chunkCount >= 5;
    });
    sent.control?.abort();
    await until('the connection is closed', () => server.sockets.size === 0);
  });

  test('a response that is paused at its last part ends, and its connection is read again', async () => {
    const server = await http((_, response) => response.end('here'));
    const pool = poolOf(server.url);
    const { error } = await send(pool, {}, { onResponseData: () => false }).answered;
    expect(error).toBeUndefined();
    const [socket] = server.sockets;
    socket?.end();
    await until('its end is seen', () => server.sockets.size === 0);
  });
});

describe('uploads', () => {
  /** Pieces that arrive one after the other. */
  const pieces = (count: number, length: number): Readable =>
    Readable.from(
      (async function* () {
        for (let index = 0; index < count; index += 1) yield pattern(length);
      })(),
      { objectMode: false },
    );

  test.each([
    ['with its length', 500_000, '500000', undefined],
    ['in chunks', undefined, undefined, 'chunked'],
  ])('a streamed body arrives complete, %s', async (_, lengthBytes, contentLength, transferEncoding) => {
    const server = await http((incoming, response) => {
      const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
      response.setHeader('x-received', JSON.stringify([length ?? null, coding ?? null]));
      incoming.pipe(response);
    });
    const pool = poolOf(server.url);
    for (const round of [1, 2]) {
      let progressCount = 0;
      const body = { stream: pieces(50, 10_000), lengthBytes };
      const answer = await send(pool, { method: 'POST', body }, { onUploadProgress: () => (progressCount += 1) })
        .answered;
      expect(answer.error).toBeUndefined();
      expect(answer.headers['x-received']).toBe(JSON.stringify([contentLength ?? null, transferEncoding ?? null]));
      expect(answer.body.equals(Buffer.concat(Array(50).fill(pattern(10_000))))).toBe(true);
      expect(progressCount).toBe(50);
      expect(server.connectionCount, `round ${round}`).toBe(1);
    }
  });

  test('a target that reads slowly slows the upload down', async () => {
    let incomingSocket: Socket | undefined;
    const server = await listen(
      createTcpServer((socket) => {
        incomingSocket = socket;
        socket.once('data', () => socket.pause());
      }),
    );
    let givenBytes = 0;
    const stream = new Readable({
      read() {
        givenBytes += 65_536;
        this.push(pattern(65_536));
      },
    });
    const sent = send(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: undefined } });
    await until('something was sent', () => givenBytes > 0 && incomingSocket !== undefined);
    let before = -1;
    await until('the upload stalls', async () => {
      const isStill = givenBytes === before;
      before = givenBytes;
      await delay(50);
      return isStill && givenBytes === before;
    });
    expect(givenBytes).toBeLessThan(20_000_000);
    incomingSocket?.on('data', () => {});
    incomingSocket?.resume();
    await until('the upload continues', () => givenBytes > before);
    sent.control?.abort();
    expect(stream.destroyed).toBe(true);
  });

  test.each([
    ['fails', (stream: PassThrough) => stream.destroy(new Error('the client left')), 'the client left'],
    ['is cut off', (stream: PassThrough) => stream.destroy(), 'the request body ended early'],
    [
      'is shorter than announced',
      (stream: PassThrough) => stream.end(),
      'the length of the request body is not the announced one',
    ],
    [
      'is longer than announced',
      (stream: PassThrough) => stream.write('x'.repeat(100)),
      'the length of the request body is not the announced one',
    ],
  ])('a body that %s closes the connection', async (_, end, message) => {
    const server = await http(() => {});
    const stream = new PassThrough();
    stream.on('error', () => {});
    const sent = send(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: 50 } });
    stream.write('beginning');
    await until('the upload has begun', () => server.sockets.size === 1 && sent.soFar.hasStarted);
    end(stream);
    expect(await sent.answered).toMatchObject({ error: { message } });
    await until('it is closed', () => server.sockets.size === 0);
    expect(stream.destroyed).toBe(true);
  });

  test('a response before the end of the body counts, and the connection is not reused', async () => {
    const server = await says('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nno!');
    const pool = poolOf(server.url);
    const stream = new PassThrough();
    stream.write('beginning');
    const answer = await send(pool, { method: 'POST', body: { stream, lengthBytes: 5_000 } }).answered;
    expect(answer).toMatchObject({ status: 413, error: undefined });
    expect(answer.body.toString()).toBe('no!');
    expect(stream.destroyed).toBe(true);
    await until('it is closed', () => server.sockets.size === 0);
  });

  test('a response before a buffered body has left counts, and no request waits behind the rest of the body', async () => {
    // More than both kernels buffer.
    const body = Buffer.alloc(16_777_216, 0x61);
    const server = await listen(
      createTcpServer((socket) => {
        socket.once('data', () => {
          socket.pause();
          socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n');
        });
      }),
    );
    const pool = poolOf(server.url);
    for (const count of [1, 2, 3]) {
      const sent = send(pool, { method: 'POST', body });
      await until(`request ${count} has a connection of its own`, () => server.connectionCount === count);
      expect(await sent.answered).toMatchObject({ status: 413, error: undefined });
    }
  });

  test('a body destroyed before the connection opens ends its request', async () => {
    const server = await http(() => {});
    const stream = new PassThrough();
    stream.destroy();
    const answer = await send(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: 5 } }).answered;
    expect(answer).toMatchObject({ error: { message: 'the request body ended early' } });
    await until('it is closed', () => server.sockets.size === 0);
  });

  test('without a connection, the body is not read', async () => {
    const gone = await http(() => {});
    await gone.close();
    const stream = Readable.from([Buffer.from('whole')], { objectMode: false });
    const { error } = await send(poolOf(gone.url), { method: 'POST', body: { stream, lengthBytes: 5 } }).answered;
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    const server = await http((incoming, response) => incoming.pipe(response));
    expect(await textOf(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: 5 } })).toBe('whole');
  });
});

describe('the end of requests and of the pool', () => {
  test('an aborted request closes its connection, and its handler is not called again', async () => {
    const server = await http(() => {});
    let callCount = 0;
    const sent = send(
      poolOf(server.url),
      {},
      { onResponseError: () => (callCount += 1), onResponseEnd: () => (callCount += 1) },
    );
    await until('it is there', () => server.sockets.size === 1 && sent.soFar.hasStarted);
    sent.control?.abort();
    await until('it is closed', () => server.sockets.size === 0);
    expect(callCount).toBe(0);
  });

  test('a request withdrawn when the connection opens is not sent; the next one uses the connection', async () => {
    const paths: (string | undefined)[] = [];
    const server = await http((incoming, response) => {
      paths.push(incoming.url);
      response.end('here');
    });
    const pool = poolOf(server.url);
    let isAsked = false;
    send(
      pool,
      { path: '/withdrawn' },
      {
        onRequestStart: () => {
          isAsked = true;
          return false;
        },
      },
    );
    await until('the handler is called', () => isAsked);
    expect(await textOf(pool, { path: '/next' })).toBe('here');
    expect(paths).toEqual(['/next']);
    expect(server.connectionCount).toBe(1);
  });

  test('a closing pool finishes requests in flight, and rejects new ones', async () => {
    const waiting: (() => void)[] = [];
    const server = await http((_, response) => waiting.push(() => response.end('here')));
    const pool = poolOf(server.url);
    const idle = textOf(pool);
    const busy = textOf(pool);
    await until('both are there', () => waiting.length === 2);
    waiting.shift()?.();
    await Promise.race([idle, busy]);
    let isClosed = false;
    const closed = pool.close().then(() => {
      isClosed = true;
    });
    await until('the idle one is closed', () => server.sockets.size === 1);
    expect(isClosed).toBe(false);
    expect(await send(pool).answered).toMatchObject({ hasStarted: false, error: { code: 'CLOSED' } });
    waiting.shift()?.();
    expect(await Promise.all([idle, busy])).toEqual(['here', 'here']);
    await closed;
    await until('all are closed', () => server.sockets.size === 0);
  });

  test('a destroyed pool ends requests in flight, and requests that wait for a connection', async () => {
    const server = await http(() => {});
    const pool = poolOf(server.url);
    const busy = send(pool);
    await until('it is there', () => server.sockets.size === 1 && busy.soFar.hasStarted);
    const waiting = send(pool);
    await pool.destroy();
    expect(await busy.answered).toMatchObject({ hasStarted: true, error: { code: 'CLOSED' } });
    expect(await waiting.answered).toMatchObject({ hasStarted: false, error: { code: 'CLOSED' } });
    await until('all are closed', () => server.sockets.size === 0);
  });

  test('a request that HTTP cannot express is rejected without a connection', async () => {
    const server = await http(() => {});
    const { error, hasStarted } = await send(poolOf(server.url), { path: '/a b' }).answered;
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    expect(hasStarted).toBe(false);
    expect(server.connectionCount).toBe(0);
  });
});

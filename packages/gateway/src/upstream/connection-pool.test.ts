import { createServer } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { http, listen, pattern, poolOf, type Sent, says, send, textOf } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';

describe('passing on', () => {
  test('bodies of every size arrive as they are, in both directions and on one connection', async () => {
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

  test('method, path and headers arrive as they are, and the answer’s come back', async () => {
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

  test('a target is found by its name, and at an IPv6 address', async () => {
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

  test('requests at the same time have connections of their own, and later ones use those', async () => {
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

  test('the answers to HEAD, 204 and 304 have no body', async () => {
    const server = await http((incoming, response) => {
      if (incoming.method === 'HEAD') response.writeHead(200, { 'content-length': '5' }).end();
      else response.writeHead(Number(incoming.url?.slice(1))).end();
    });
    const pool = poolOf(server.url);
    expect(await send(pool, { method: 'HEAD' }).answered).toMatchObject({ status: 200, error: undefined });
    for (const status of [204, 304, 200]) {
      expect(await send(pool, { path: `/${status}` }).answered).toMatchObject({ status, error: undefined });
    }
    // After HEAD a new one: a body that comes all the same would be the next request's answer.
    expect(server.connectionCount).toBe(2);
  });

  test('informational answers are not the answer', async () => {
    const server = await http((_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.writeProcessing();
      response.end('the answer');
    });
    expect(await textOf(poolOf(server.url))).toBe('the answer');
  });

  test('an answer that ends with its connection is complete', async () => {
    const server = await says(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${'x'.repeat(100_000)}`, (socket) =>
      socket.end(),
    );
    expect(await textOf(poolOf(server.url))).toHaveLength(100_000);
  });
});

describe('connections', () => {
  test('that the target closes while they are idle are not used again', async () => {
    const server = await http((_, response) => response.end('here'));
    const pool = poolOf(server.url);
    expect(await textOf(pool)).toBe('here');
    const [socket] = server.sockets;
    socket?.end();
    await until('the gateway has closed, too', () => server.sockets.size === 0);
    expect(await textOf(pool)).toBe('here');
    expect(server.connectionCount).toBe(2);
  });

  test('of a target that says for how long it keeps them are closed before that', async () => {
    const server = await http((incoming, response) => {
      response.setHeader('connection', 'keep-alive');
      response.setHeader('keep-alive', incoming.url === '/hint' ? 'timeout=3' : 'timeout=60');
      response.end('here');
    });
    const pool = poolOf(server.url);
    // The timer of the first one is far away.
    const both = [textOf(pool), textOf(pool, { path: '/hint' })];
    await Promise.all(both);
    await until('the hinted one is closed', () => server.sockets.size === 1);
  });

  test('of thousands that expire at once are closed by the next request', async () => {
    const count = 2_000;
    const waiting: (() => void)[] = [];
    const server = await http((_, response) => waiting.push(() => response.end('here')));
    let nowMs = 0;
    const pool = poolOf(server.url, { keepAliveMs: 10_000, connectTimeoutMs: 60_000, now: () => nowMs });
    const texts = Promise.all(Array.from({ length: count }, () => textOf(pool)));
    await until('all are there', () => waiting.length === count);
    for (const answer of waiting.splice(0)) answer();
    await texts;
    nowMs = 20_000;
    const text = textOf(pool);
    await until('it is there', () => waiting.length === 1);
    waiting.pop()?.();
    expect(await text).toBe('here');
    await until('the others are closed', () => server.sockets.size === 1);
  });

  test.each([
    ['says that it closes', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    [
      'keeps them no longer than a request takes',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=1\r\n\r\nok',
    ],
    [
      'says more than it was asked',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil',
    ],
  ])('of a target that %s are closed', async (_, text) => {
    const server = await says(text);
    const pool = poolOf(server.url);
    for (const count of [1, 2, 3]) {
      expect(await textOf(pool)).toBe('ok');
      await until('it is closed', () => server.sockets.size === 0);
      expect(server.connectionCount).toBe(count);
    }
  });

  test('that are idle for long are closed, those used last stay', async () => {
    const waiting: (() => void)[] = [];
    const server = await http((_, response) => waiting.push(() => response.end('here')));
    const pool = poolOf(server.url, { keepAliveMs: 2_500 });
    const both = [textOf(pool), textOf(pool)];
    await until('two are open', () => waiting.length === 2);
    for (const answer of waiting.splice(0)) answer();
    await Promise.all(both);
    await until('one that is used again and again stays', async () => {
      const text = textOf(pool);
      await until('it is asked', () => waiting.length === 1);
      waiting.pop()?.();
      await text;
      return server.sockets.size === 1;
    });
    await until('the last one goes, too', () => server.sockets.size === 0);
    expect(server.connectionCount).toBe(2);
  });

  test('whose time is up are not used, however late the timer is', async () => {
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

  test('that came while this process was busy are there in time', async () => {
    const server = await http((_, response) => response.end('here'));
    const answer = textOf(poolOf(server.url, { connectTimeoutMs: 50 }));
    await delay(0);
    // The kernel connects; nobody looks.
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
    expect(await answer).toBe('here');
  });

  test('that are not made are told from each other, and nothing was sent', async () => {
    const gone = await http(() => {});
    await gone.close();
    const refused = await send(poolOf(gone.url)).answered;
    expect(refused).toMatchObject({ hasStarted: false, error: { code: 'ECONNREFUSED' } });
    // An address of the range for documentation (RFC 5737): nobody is there, or the network says so itself.
    const nobody = await send(poolOf('http://192.0.2.1:9', { connectTimeoutMs: 50 })).answered;
    expect(nobody.hasStarted).toBe(false);
    expect(nobody.error).toMatchObject({
      code: expect.stringMatching(/^(?:ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)$/),
    });
  });
});

describe('answers that are none', () => {
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
  ])('one that %s is an error, by an end and by a reset', async (_, text, code, status) => {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const server = await says(text, (socket) => {
        // What was said before a reset may be lost on the way: it is read first.
        if (leave === 'end') socket.end();
        // After the timer the loop looks at sockets once more, however late it is.
        else setTimeout(() => setImmediate(() => setImmediate(() => socket.resetAndDestroy())), 20);
      });
      const answer = await send(poolOf(server.url)).answered;
      expect(answer).toMatchObject({ hasStarted: true, status, error: { code } });
      await until('the connection is closed', () => server.sockets.size === 0);
    }
  });
});

/** What a target says to the first request of a connection; what it says late; what the first request gets of it. */
const UNCLEAR: readonly (readonly [what: string, method: string, text: string, late: string, status: number])[] = [
  ['204 with a length', 'DELETE', 'HTTP/1.1 204 No Content\r\ncontent-length: LATE\r\n\r\n', 'late', 204],
  ['204 in chunks', 'DELETE', 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n', 'late', 204],
  ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: LATE\r\n\r\n', 'late', 304],
  ['304 in chunks', 'GET', 'HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n', 'late', 304],
  ['an answer to HEAD with a body', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: LATE\r\n\r\n', 'late', 200],
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
  ['an answer longer than announced', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokLATEANSWER', '', 200],
  [
    'chunks of HTTP/1.0',
    'GET',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'late',
    200,
  ],
  ['two answers at once', 'GET', 'HTTP/1.1 204 No Content\r\n\r\nLATEANSWER', '', 204],
];

describe('a connection on which it is unclear where the answer ended', () => {
  const lateAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';

  test.each(UNCLEAR)(
    '%s: is not used again, and the next requests get their own answers',
    async (_, method, text, late, status) => {
      const head = text.replace('LATEANSWER', lateAnswer).replaceAll('LATE', String(lateAnswer.length));
      const server = await listen(
        createTcpServer((socket) => {
          let isUnclear = false;
          socket.on('data', (bytes) => {
            const path = /^\S+ (\S+)/.exec(bytes.toString('latin1'))?.[1] ?? '';
            if (path === '/unclear') {
              isUnclear = true;
              socket.write(head);
            }
            // The worst moment: when another request waits for its answer there.
            else if (isUnclear && late !== '') socket.write(lateAnswer);
            else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
          });
        }),
      );
      const pool = poolOf(server.url);
      const first = await send(pool, { method, path: '/unclear' }).answered;
      expect(first.status).toBe(status);
      for (const path of ['/a', '/b']) expect(await textOf(pool, { path })).toBe(path);
    },
  );
});

describe('pauses', () => {
  test('an answer that is read slowly waits, loses nothing, and gives its connection back', async () => {
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

  test('while an answer is not wanted, the target is not read', async () => {
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
    await until('something has come', () => chunkCount > 0);
    await delay(50);
    // What had been read when the first came.
    expect(chunkCount).toBeLessThan(5);
    await until('more comes', () => {
      sent.control?.resume();
      return chunkCount >= 5;
    });
    sent.control?.abort();
    await until('the target is let go', () => server.sockets.size === 0);
  });

  test('an answer whose last part is paused ends all the same, and its connection is read again', async () => {
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
  /** Pieces that come one after the other. */
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
  ])('a body on its way arrives whole, %s', async (_, lengthBytes, contentLength, transferEncoding) => {
    const server = await http((incoming, response) => {
      const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
      response.setHeader('x-told', JSON.stringify([length ?? null, coding ?? null]));
      incoming.pipe(response);
    });
    const pool = poolOf(server.url);
    for (const round of [1, 2]) {
      let progressCount = 0;
      const body = { stream: pieces(50, 10_000), lengthBytes };
      const answer = await send(pool, { method: 'POST', body }, { onUploadProgress: () => (progressCount += 1) })
        .answered;
      expect(answer.error).toBeUndefined();
      expect(answer.headers['x-told']).toBe(JSON.stringify([contentLength ?? null, transferEncoding ?? null]));
      expect(answer.body.equals(Buffer.concat(Array(50).fill(pattern(10_000))))).toBe(true);
      expect(progressCount).toBe(50);
      expect(server.connectionCount, `round ${round}`).toBe(1);
    }
  });

  test('a target that reads slowly is not given more than it takes', async () => {
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
    await until('no more is taken', async () => {
      const isStill = givenBytes === before;
      before = givenBytes;
      await delay(50);
      return isStill && givenBytes === before;
    });
    expect(givenBytes).toBeLessThan(20_000_000);
    incomingSocket?.on('data', () => {});
    incomingSocket?.resume();
    await until('it goes on', () => givenBytes > before);
    sent.control?.abort();
    expect(stream.destroyed).toBe(true);
  });

  test.each([
    ['fails', (stream: PassThrough) => stream.destroy(new Error('the client left')), 'the client left'],
    ['is cut off', (stream: PassThrough) => stream.destroy(), 'the request’s body ended before its end'],
    ['is shorter than it said', (stream: PassThrough) => stream.end(), 'its body is not as long as it says'],
    [
      'is longer than it said',
      (stream: PassThrough) => stream.write('x'.repeat(100)),
      'its body is not as long as it says',
    ],
  ])('a body that %s breaks the connection', async (_, end, message) => {
    const server = await http(() => {});
    const stream = new PassThrough();
    stream.on('error', () => {});
    const sent = send(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: 50 } });
    stream.write('beginning');
    await until('it has begun', () => server.sockets.size === 1 && sent.soFar.hasStarted);
    end(stream);
    expect(await sent.answered).toMatchObject({ error: { message } });
    await until('it is closed', () => server.sockets.size === 0);
    expect(stream.destroyed).toBe(true);
  });

  test('an answer that comes before the body’s end is one, and the connection is not used again', async () => {
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

  test('an answer that comes before a kept body has left is one, and no other request waits behind the body', async () => {
    // More than the systems of both sides take.
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

  test('a body that is gone before there is a connection ends its request', async () => {
    const server = await http(() => {});
    const stream = new PassThrough();
    stream.destroy();
    const answer = await send(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: 5 } }).answered;
    expect(answer).toMatchObject({ error: { message: 'the request’s body ended before its end' } });
    await until('it is closed', () => server.sockets.size === 0);
  });

  test('a body that no connection was made for is untouched', async () => {
    const gone = await http(() => {});
    await gone.close();
    const stream = Readable.from([Buffer.from('whole')], { objectMode: false });
    const { error } = await send(poolOf(gone.url), { method: 'POST', body: { stream, lengthBytes: 5 } }).answered;
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    const server = await http((incoming, response) => incoming.pipe(response));
    expect(await textOf(poolOf(server.url), { method: 'POST', body: { stream, lengthBytes: 5 } })).toBe('whole');
  });
});

describe('what ends', () => {
  test('a request that is given up takes its connection with it, and hears no more', async () => {
    const server = await http(() => {});
    let told = 0;
    const sent = send(poolOf(server.url), {}, { onResponseError: () => (told += 1), onResponseEnd: () => (told += 1) });
    await until('it is there', () => server.sockets.size === 1 && sent.soFar.hasStarted);
    sent.control?.abort();
    await until('it is closed', () => server.sockets.size === 0);
    expect(told).toBe(0);
  });

  test('a request that nobody wants when the connection is there is not sent; the next one uses it', async () => {
    const paths: (string | undefined)[] = [];
    const server = await http((incoming, response) => {
      paths.push(incoming.url);
      response.end('here');
    });
    const pool = poolOf(server.url);
    let isAsked = false;
    send(
      pool,
      { path: '/unwanted' },
      {
        onRequestStart: () => {
          isAsked = true;
          return false;
        },
      },
    );
    await until('it is asked', () => isAsked);
    expect(await textOf(pool, { path: '/wanted' })).toBe('here');
    expect(paths).toEqual(['/wanted']);
    expect(server.connectionCount).toBe(1);
  });

  test('a pool that closes finishes what is under way, and takes no more', async () => {
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

  test('a pool that is destroyed breaks off what is under way, and what waits for a connection', async () => {
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

  test('what cannot be said in HTTP is refused before there is a connection', async () => {
    const server = await http(() => {});
    const { error, hasStarted } = await send(poolOf(server.url), { path: '/a b' }).answered;
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    expect(hasStarted).toBe(false);
    expect(server.connectionCount).toBe(0);
  });
});

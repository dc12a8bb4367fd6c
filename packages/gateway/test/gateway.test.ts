/** The gateway over real sockets: what a client sees while regions answer, fail, freeze and die. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ConfigOverrides,
  regions,
  startGateway,
  type TestGateway,
  testConfig,
} from '../../../test/harness/gateway.ts';
import { HOST, raw } from '../../../test/harness/raw.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../test/harness/upstream.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function upstream(handle?: UpstreamHandler): Promise<Upstream> {
  const started = await startUpstream(handle);
  cleanups.push(() => started.kill());
  return started;
}

async function gateway(overrides: ConfigOverrides): Promise<TestGateway> {
  const started = await startGateway(overrides);
  cleanups.push(started.close);
  return started;
}

/** Regions east and west; east gets all new work. */
async function twoRegions(
  eastHandler: UpstreamHandler,
  overrides: ConfigOverrides = {},
): Promise<{ east: Upstream; west: Upstream; gw: TestGateway }> {
  const east = await upstream(eastHandler);
  const west = await upstream(answerJson({ from: 'west' }));
  const gw = await gateway({
    regions: [
      { name: 'east', priority: 0, targets: [{ url: east.url }] },
      { name: 'west', priority: 1, targets: [{ url: west.url }] },
    ],
    ...overrides,
  });
  return { east, west, gw };
}

const never: UpstreamHandler = () => {};
const produce = {
  method: 'POST',
  headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
  body: '{"records":[{"value":"v"}]}',
} as const;

async function eventOf(gw: TestGateway, type: string): Promise<void> {
  await until(`an event ${type}`, () => gw.gateway.events.recent().some((event) => event.type === type));
}

describe('passing on', () => {
  test('method, path, query, body and headers arrive, and the answer comes back', async () => {
    const east = await upstream((_, response) => response.writeHead(418, { 'x-own': 'yes' }).end('tea'));
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const answer = await request(`${gw.url}/topics/a%2Fb?async=true`, {
      ...produce,
      headers: { ...produce.headers, 'x-mine': '1' },
    });
    expect(answer.statusCode).toBe(418);
    expect(answer.headers['x-own']).toBe('yes');
    expect(answer.headers.via).toBe('1.1 gateway');
    expect(await answer.body.text()).toBe('tea');
    expect(east.requests[0]).toMatchObject({ method: 'POST', url: '/topics/a%2Fb?async=true', body: produce.body });
    expect(east.requests[0]?.headers).toMatchObject({
      'x-mine': '1',
      'x-forwarded-proto': 'http',
      host: new URL(gw.url).host,
    });
  });

  test('an answer longer than the buffer is streamed whole', async () => {
    const long = 'x'.repeat(300_000);
    const east = await upstream((_, response) => {
      response.write(long);
      response.end(long);
    });
    const gw = await gateway({ regions: regions({ east: east.url }), response: { bufferBytes: 1_000 } });
    const { body } = await request(`${gw.url}/topics`);
    expect(await body.text()).toBe(long + long);
  });

  test('an answer in many small chunks waits for a client that reads slowly', async () => {
    const pieces = Array.from({ length: 20_000 }, (_, index) => `${index},`.repeat(200));
    let sentBytes = (): number => 0;
    const east = await upstream((_, response) => {
      const { socket } = response;
      sentBytes = () => socket?.bytesWritten ?? 0;
      for (const piece of pieces) response.write(piece);
      response.end();
    });
    const gw = await gateway({ regions: regions({ east: east.url }), response: { bufferBytes: 1_000 } });
    const client = connect(Number(new URL(gw.url).port), '127.0.0.1');
    cleanups.push(async () => client.destroy());
    client.write('GET /topics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let before = -1;
    await until('nobody can send more', async () => {
      const now = sentBytes();
      const isStill = now > 0 && now === before;
      before = now;
      await delay(50);
      return isStill && sentBytes() === now;
    });
    let text = '';
    for await (const chunk of client) text += String(chunk);
    // Without the sizes of its chunks.
    const body = text.slice(text.indexOf('\r\n\r\n') + 4).replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '');
    expect(body.trimEnd() === pieces.join('')).toBe(true);
  });

  test('HEAD and 204 have no body and break nothing', async () => {
    const east = await upstream(({ method }, response) =>
      method === 'HEAD' ? response.writeHead(200, { 'content-length': '5' }).end() : response.writeHead(204).end(),
    );
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const head = await request(`${gw.url}/topics`, { method: 'HEAD' });
    expect([head.statusCode, head.headers['content-length']]).toEqual([200, '5']);
    const deleted = await request(`${gw.url}/consumers/g/instances/i`, { method: 'DELETE' });
    expect([deleted.statusCode, deleted.headers['content-length']]).toEqual([204, undefined]);
  });

  test('a client that leaves takes its request with it', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const abort = new AbortController();
    const pending = request(`${gw.url}/consumers/g/instances/i/records?timeout=20000`, { signal: abort.signal });
    await until('the poll waits', () => east.requests.length === 1);
    abort.abort();
    await expect(pending).rejects.toThrow();
    await east.requests[0]?.aborted;
  });

  test('an absolute request target is one of this gateway', async () => {
    const east = await upstream(answerJson({ ok: true }));
    const gw = await gateway({ regions: regions({ east: east.url }) });
    expect(
      await rawExchange(gw.url, 'GET http://example.com/topics?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    ).toMatch(/^HTTP\/1\.1 200/);
    expect(east.requests[0]?.url).toBe('/topics?a=1');
  });
});

describe('request bodies', () => {
  test('a large one is streamed, and arrives whole', async () => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }), request: { bufferBytes: 1_000 } });
    const body = 'y'.repeat(500_000);
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    expect(east.requests[0]?.body.length).toBe(body.length);
    expect(east.requests[0]?.headers['content-length']).toBe('500000');
  });

  test('a streamed one is not sent twice', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy(), { request: { bufferBytes: 1_000 } });
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body: 'y'.repeat(50_000) });
    expect(answer.statusCode).toBe(502);
    expect(await answer.body.json()).toMatchObject({
      error_code: 502,
      message: expect.stringMatching(
        /region east: .*, and a body larger than request.bufferBytes is not sent twice\.$/,
      ),
    });
    expect(west.requests).toHaveLength(0);
  });

  test('a streamed one of which nobody has taken goes to the next region', async () => {
    const { east, west, gw } = await twoRegions(answerJson({}), { request: { bufferBytes: 1_000 } });
    await east.kill();
    const body = 'y'.repeat(50_000);
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body });
    expect(answer.statusCode).toBe(200);
    expect(west.requests.map((received) => received.body)).toEqual([body]);
  });

  test.each([
    ['with a length', (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`],
    [
      'in chunks',
      (body: string) => `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('one that is too large (%s) is answered with 413 and the limit', async (_, encode) => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({
      regions: regions({ east: east.url }),
      request: { bufferBytes: 100, maxBodyBytes: 1_000 },
    });
    const answer = await rawExchange(
      gw.url,
      `POST /topics/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${encode('z'.repeat(2_000))}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
    expect(answer).toContain('"error_code":413,"message":"The request body is larger than 1000 bytes."');
    expect((await request(`${gw.url}/topics`)).statusCode).toBe(200);
  });
});

describe('bad requests', () => {
  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['a target that is no path', 'GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a forward proxy request', 'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', 501],
    ['two lengths', 'POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc', 400],
    [
      'length and chunks',
      'POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
      400,
    ],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n', 417],
    ['headers too large', `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\nConnection: close\r\n\r\n`, 431],
  ])('%s is answered with an error body', async (_, text, status) => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const answer = await rawExchange(gw.url, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain(`{"error_code":${status},"message":"`);
    expect(east.requests).toHaveLength(0);
    expect((await request(`${gw.url}/topics`)).statusCode).toBe(200);
  });
});

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
      cleanups.push(async () => socket.destroy());
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
      request: { bufferBytes: 10, deadlineMs: 1_500 },
      breaker: { minRequests: 1 },
    });
    const answer = await rawExchange(
      gw.url,
      `POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n${'z'.repeat(100)}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(gw.gateway.events.recent().filter((event) => event.type === 'breaker')).toEqual([]);
  });

  test('who asks before sending is told to go on, or why not', async () => {
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

test.each([
  ['when a target is chosen', true],
  ['when the next one is chosen', false],
])('a bug %s is answered with 500, told to the operator, and ends with its request', async (_, isFromTheStart) => {
  const faults: unknown[] = [];
  let isBroken = false;
  const random = (): number => {
    if (isBroken) throw new Error('a bug');
    return 0.5;
  };
  const east = await upstream((_request, response) => {
    isBroken = true;
    response.writeHead(503).end();
  });
  const west = await upstream(answerJson({}));
  const overrides = {
    regions: [
      { name: 'east', priority: 0, targets: [{ url: east.url }] },
      { name: 'west', priority: 1, targets: [{ url: west.url }] },
    ],
    // Probes take their times by chance, too.
    healthCheck: { intervalMs: 60_000, timeoutMs: 10_000, rise: 1 },
  };
  const gw = await startGateway(overrides, { random, onFault: (error) => faults.push(error) });
  cleanups.push(gw.close);
  isBroken = isFromTheStart;
  const answer = await request(`${gw.url}/topics/t`, produce);
  expect(answer.statusCode).toBe(500);
  expect(await answer.body.json()).toEqual({
    error_code: 500,
    message: 'The gateway failed at this request; its log says how.',
  });
  expect(faults).toEqual([new Error('a bug')]);
  expect(east.requests).toHaveLength(isFromTheStart ? 0 : 1);
  isBroken = false;
  east.handle = answerJson({});
  expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(200);
});

describe('a region that fails costs the client nothing', () => {
  test.each<[string, UpstreamHandler]>([
    ['breaks the connection before the answer', (_, response) => response.destroy()],
    [
      'breaks the connection within the answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half of it');
        setImmediate(() => response.destroy());
      },
    ],
    ['answers 503', answerJson({ error_code: 503, message: 'not now' }, 503)],
    [
      'answers 503 at a length that cannot be held',
      (_, response) => {
        response.writeHead(503);
        response.end('x'.repeat(2_000_000));
      },
    ],
    ['answers 502', answerJson({ error_code: 502, message: 'not now' }, 502)],
  ])('when it %s', async (_, handler) => {
    const { east, west, gw } = await twoRegions(handler);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(answer.statusCode).toBe(200);
    expect(await answer.body.json()).toEqual({ from: 'west' });
    expect(east.requests).toHaveLength(1);
    expect(west.requests[0]?.body).toBe(produce.body);
  });

  test('when nothing listens there any more', async () => {
    const { east, gw } = await twoRegions(answerJson({ from: 'east' }));
    await east.kill();
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(await answer.body.json()).toEqual({ from: 'west' });
  });

  test('when it freezes: requests in flight move once it is declared down', async () => {
    const { east, west, gw } = await twoRegions(never, { request: { attemptTimeoutMs: 60_000, deadlineMs: 120_000 } });
    const start = performance.now();
    const pending = [1, 2, 3].map(() => request(`${gw.url}/topics/t`, produce));
    await until('they are in flight', () => east.requests.length === 3);
    east.isFrozen = true;
    for (const answer of await Promise.all(pending)) expect(await answer.body.json()).toEqual({ from: 'west' });
    // intervalMs + fall * timeoutMs = 4 s, far from the minute of one attempt.
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(west.requests).toHaveLength(3);
    await eventOf(gw, 'failover');
  });

  test('when a poll was waiting there: it goes on elsewhere with the time that is left', async () => {
    const { east, west, gw } = await twoRegions(never);
    const pending = request(`${gw.url}/consumers/g/instances/i/records?timeout=60000`);
    await until('the poll waits', () => east.requests.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await east.kill();
    expect((await pending).statusCode).toBe(200);
    const timeout = Number(new URL(west.requests[0]?.url ?? '', 'http://x').searchParams.get('timeout'));
    expect(timeout).toBeLessThan(60_000);
    expect(timeout).toBeGreaterThan(30_000);
  });

  test('a delete that may have been executed is deleted; a create that may have been is created', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy());
    west.handle = answerJson({ error_code: 404, message: 'The specified consumer instance was not found.' }, 404);
    expect((await request(`${gw.url}/consumers/g/instances/i`, { method: 'DELETE' })).statusCode).toBe(204);
    west.handle = answerJson({ error_code: 409, message: 'exists' }, 409);
    const created = await request(`${gw.url}/consumers/g`, {
      method: 'POST',
      body: '{"name":"i"}',
      headers: { 'content-type': 'application/vnd.kafka.v2+json' },
    });
    expect(await created.body.json()).toEqual({ instance_id: 'i', base_uri: `${gw.url}/consumers/g/instances/i` });
  });
});

test('what cannot move stays on a region that is declared down, and is answered when that answers after all', async () => {
  const { east, gw } = await twoRegions(never, { retry: { produce: 'at-most-once' } });
  let finish = (): void => {};
  east.handle = (received, response) => {
    finish = () => answerJson({ from: 'east' })(received, response);
  };
  const pending = request(`${gw.url}/topics/t`, produce);
  await until('it is in flight', () => east.requests.length === 1);
  east.readyStatus = 503;
  await until('east is down', () =>
    gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
  );
  finish();
  expect(await (await pending).body.json()).toEqual({ from: 'east' });
});

describe('when no region can answer', () => {
  test('a region’s refusal is told at once, and no silent region is waited for', async () => {
    const { east, west, gw } = await twoRegions(never);
    east.isFrozen = true;
    await until('east is down', () =>
      gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
    );
    west.handle = answerJson({ error_code: 503, message: 'overloaded' }, 503);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, await answer.body.json()]).toEqual([503, { error_code: 503, message: 'overloaded' }]);
  });

  test('a refusal too long to be held keeps its status', async () => {
    const { west, gw } = await twoRegions(answerJson({ error_code: 503, message: 'a' }, 503), {
      response: { bufferBytes: 0 },
      retry: { produce: 'at-most-once' },
    });
    west.handle = answerJson({ error_code: 503, message: 'overloaded' }, 503);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, await answer.body.json()]).toEqual([
      503,
      { error_code: 503, message: 'Region west answered 503.' },
    ]);
  });

  test('503 for what is over the limit of requests in flight', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }), upstream: { maxInFlight: 1 } });
    const first = request(`${gw.url}/topics/t`, produce);
    first.catch(() => {});
    await until('one is in flight', () => east.requests.length === 1);
    const second = await request(`${gw.url}/topics/t`, produce);
    expect([second.statusCode, await second.body.json()]).toEqual([
      503,
      {
        error_code: 503,
        message:
          'The regions that could serve this request have as many as they may; try again: region east is at its limit of requests in flight.',
      },
    ]);
    expect(east.requests).toHaveLength(1);
  });

  test('502 names the regions and the reasons', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy());
    west.handle = (_, response) => response.destroy();
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(answer.statusCode).toBe(502);
    expect(answer.headers['content-type']).toBe('application/vnd.kafka.v2+json');
    expect(await answer.body.json()).toEqual({
      error_code: 502,
      message: 'No region answered this request: region east: connection closed; region west: connection closed.',
    });
  });

  test('a produce that must not stand twice is 502 after a break, and fails over where nothing was sent', async () => {
    const { east, gw } = await twoRegions((_, response) => response.destroy(), { retry: { produce: 'at-most-once' } });
    expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(502);
    await east.kill();
    expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(200);
  });

  test('504 after the deadline', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }), request: { deadlineMs: 1_500 } });
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(answer.statusCode).toBe(504);
    expect(await answer.body.json()).toMatchObject({
      message: expect.stringMatching(
        /^No region answered this request in time: region east: no answer within \d+ ms\.$/,
      ),
    });
  });

  test('503 with Retry-After when every region is set to weight 0', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }, { east: 0 }) });
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(await answer.body.json()).toEqual({
      error_code: 503,
      message: 'No region can serve this request: region east has weight 0.',
    });
  });

  test('the last region’s own 503 reaches the client as it is', async () => {
    const { west, gw } = await twoRegions(answerJson({ error_code: 503, message: 'a' }, 503));
    west.handle = answerJson({ error_code: 503, message: 'overloaded' }, 503);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, await answer.body.json()]).toEqual([503, { error_code: 503, message: 'overloaded' }]);
  });

  test('an empty retry budget ends in 503, not in a storm', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy(), {
      retry: { budgetPercent: 0, budgetMinRetries: 2 },
      breaker: { minRequests: 1_000 },
    });
    const statuses: number[] = [];
    for (let index = 0; index < 4; index += 1) {
      const answer = await request(`${gw.url}/topics/t`, produce);
      statuses.push(answer.statusCode);
      await answer.body.dump();
    }
    expect(statuses).toEqual([200, 200, 503, 503]);
    expect(west.requests).toHaveLength(2);
  });
});

describe('health', () => {
  test('a region that is not ready gets nothing, and gets work again when it is', async () => {
    const { east, gw } = await twoRegions(answerJson({ from: 'east' }));
    await until('east is well', async () => (await from(gw)) === 'east');
    east.readyStatus = 503;
    await until('east is left', async () => (await from(gw)) === 'west');
    east.readyStatus = 200;
    await until('east is back', async () => (await from(gw)) === 'east');
    const flips = gw.gateway.events.recent().filter((event) => event.type === 'health' && event.target === east.url);
    // On a busy machine the first probe of all may have been too late.
    const [well, left, back] = flips.slice(-3);
    expect([well, left, back]).toMatchObject([{ to: 'healthy' }, { to: 'unhealthy' }, { to: 'healthy' }]);
    expect(left).toMatchObject({ reason: 'probe answered 503, 2 in a row' });
  });

  test('is told to load balancers that ask with HEAD', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const ask = async (path: string): Promise<[number, string]> => {
      const { statusCode, body } = await request(`${gw.url}${path}`, { method: 'HEAD' });
      return [statusCode, await body.text()];
    };
    expect(await ask('/healthy')).toEqual([200, '']);
    expect(await ask('/ready')).toEqual([200, '']);
    east.readyStatus = 503;
    await until('it is not ready', async () => (await ask('/ready'))[0] === 503);
    expect(await ask('/healthy')).toEqual([200, '']);
    expect(east.requests).toEqual([]);
  });

  test('when too few are left, probes are not believed', async () => {
    const { east, west, gw } = await twoRegions(answerJson({ from: 'east' }));
    east.readyStatus = 503;
    west.readyStatus = 503;
    await eventOf(gw, 'panic');
    expect(await from(gw)).toBe('east');
    expect((await request(`${gw.url}/ready`)).statusCode).toBe(503);
    expect((await request(`${gw.url}/healthy`)).statusCode).toBe(200);
  });

  test('a regional gateway tells a peer about its own region, and a client about all', async () => {
    const { east, gw } = await twoRegions(answerJson({}), { gateway: { name: 'gateway', region: 'east' } });
    east.readyStatus = 503;
    await until('east is down', () =>
      gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
    );
    expect((await request(`${gw.url}/ready`)).statusCode).toBe(200);
    const asPeer = await request(`${gw.url}/ready`, { headers: { 'causeway-gateway': 'tier1', ...PROOF } });
    expect(asPeer.statusCode).toBe(503);
    expect(await asPeer.body.json()).toMatchObject({
      message:
        'Gateway gateway of region east has no available target: region east is unhealthy (probe answered 503, 2 in a row).',
    });
  });
});

test('a breaker opens on a region that answers 500, and closes when it is well again', async () => {
  const { east, gw } = await twoRegions(answerJson({ from: 'east' }, 500), {
    // Open for longer than the requests take that are to find it open.
    breaker: { minRequests: 5, resetMs: 3_000 },
  });
  for (let index = 0; index < 5; index += 1) await (await request(`${gw.url}/topics/t`, produce)).body.dump();
  await until('the breaker is open', async () => (await from(gw)) === 'west');
  const count = east.requests.length;
  expect(await from(gw)).toBe('west');
  expect(east.requests).toHaveLength(count);
  east.handle = answerJson({ from: 'east' });
  await until('the breaker is closed', async () => (await from(gw)) === 'east');
  const states = gw.gateway.events.recent().flatMap((event) => (event.type === 'breaker' ? [event.to] : []));
  expect(states.slice(0, 2)).toEqual(['open', 'halfOpen']);
  expect(states.at(-1)).toBe('closed');
});

test('a consumer whose own requests fail with 500 does not open the breaker', async () => {
  const { gw } = await twoRegions(answerJson({ error_code: 500, message: 'Consumer is not subscribed' }, 500), {
    breaker: { minRequests: 5 },
  });
  for (let index = 0; index < 10; index += 1) {
    expect((await request(`${gw.url}/consumers/g/instances/i/records`)).statusCode).toBe(500);
  }
  expect(gw.gateway.events.recent().filter((event) => event.type === 'breaker')).toEqual([]);
});

test('a client whose requests are at fault with 500 does not open the breaker, at either tier', async () => {
  const { east, gw: regional } = await twoRegions(
    (_, response) => response.writeHead(500, { 'causeway-fault': 'request' }).end('{}'),
    { breaker: { minRequests: 5 }, gateway: { name: 'east-gateway', region: 'east' } },
  );
  const tier1 = await gateway({ regions: regions({ east: regional.url }), breaker: { minRequests: 5 } });
  for (let index = 0; index < 10; index += 1) {
    const { statusCode, headers, body } = await request(`${tier1.url}/topics/a%20b`);
    await body.dump();
    expect(statusCode).toBe(500);
    expect(headers).not.toHaveProperty('causeway-fault');
  }
  expect(east.requests).toHaveLength(10);
  for (const { gateway: each } of [tier1, regional]) {
    expect(each.events.recent().filter((event) => event.type === 'breaker')).toEqual([]);
  }
});

describe('choosing a region', () => {
  test('weights 80 and 20 are met within 5 points over 1,000 requests', async () => {
    const east = await upstream(answerJson({ from: 'east' }));
    const west = await upstream(answerJson({ from: 'west' }));
    const config = {
      regions: regions({ east: east.url, west: west.url }, { east: 80, west: 20 }),
      // Probes take their times by chance, too: none comes in between, and the numbers are the same in each run.
      healthCheck: { intervalMs: 600_000, timeoutMs: 10_000, rise: 1 },
    };
    const gw = await startGateway(config, { random: seededRandom() });
    cleanups.push(gw.close);
    for (let index = 0; index < 1_000; index += 1) await (await request(`${gw.url}/topics`)).body.dump();
    expect(east.requests.length).toBeGreaterThan(750);
    expect(east.requests.length).toBeLessThan(850);
  });

  test('a consumer’s requests stay together, and consumers are spread', async () => {
    const handler =
      (from: string): UpstreamHandler =>
      (received, response) =>
        received.method === 'POST' && received.url === '/consumers/g'
          ? answerJson({ instance_id: JSON.parse(received.body).name, base_uri: 'x' })(received, response)
          : answerJson({ from })(received, response);
    const east = await upstream(handler('east'));
    const west = await upstream(handler('west'));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
    for (let consumer = 0; consumer < 40; consumer += 1) {
      const body = JSON.stringify({ name: `c${consumer}` });
      await (await request(`${gw.url}/consumers/g`, { method: 'POST', body })).body.dump();
      for (let poll = 0; poll < 3; poll += 1)
        await (await request(`${gw.url}/consumers/g/instances/c${consumer}/records`)).body.dump();
    }
    const homes = new Map<string, Set<string>>();
    for (const [region, { requests }] of Object.entries({ east, west })) {
      for (const { url, body } of requests) {
        const name = /instances\/(c\d+)/.exec(url)?.[1] ?? JSON.parse(body).name;
        homes.set(name, (homes.get(name) ?? new Set()).add(region));
      }
    }
    expect([...homes.values()].every((regions) => regions.size === 1)).toBe(true);
    expect(east.requests.length).toBeGreaterThan(40);
    expect(west.requests.length).toBeGreaterThan(40);
  });

  test('a consumer with a generated name is found where it was created', async () => {
    const east = await upstream(answerJson({ instance_id: 'generated', base_uri: 'x' }));
    const west = await upstream(answerJson({ instance_id: 'generated', base_uri: 'x' }));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
    await (await request(`${gw.url}/consumers/g`, { method: 'POST' })).body.dump();
    const home = east.requests.length === 1 ? east : west;
    for (let index = 0; index < 10; index += 1)
      await (await request(`${gw.url}/consumers/g/instances/generated/records`)).body.dump();
    expect(home.requests).toHaveLength(11);
    const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
      consumers: { count: number };
    };
    expect(topology.consumers.count).toBe(1);
  });

  test('a consumer whose delete failed is still known', async () => {
    const answers =
      (from: string): UpstreamHandler =>
      (received, response) =>
        received.method === 'DELETE'
          ? answerJson({ error_code: 500, message: 'no' }, 500)(received, response)
          : answerJson({ instance_id: 'generated', base_uri: 'x', from })(received, response);
    const east = await upstream(answers('east'));
    const west = await upstream(answers('west'));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
    await (await request(`${gw.url}/consumers/g`, { method: 'POST' })).body.dump();
    const home = east.requests.length === 1 ? east : west;
    await (await request(`${gw.url}/consumers/g/instances/generated`, { method: 'DELETE' })).body.dump();
    for (let index = 0; index < 5; index += 1) {
      await (await request(`${gw.url}/consumers/g/instances/generated/records`)).body.dump();
    }
    expect(home.requests).toHaveLength(7);
  });

  test('a request that another region has passed on stays in this one', async () => {
    const { east, west, gw } = await twoRegions((_, response) => response.destroy(), { gateway: { region: 'east' } });
    const crossed = await request(`${gw.url}/topics`, {
      headers: { 'causeway-gateway': 'tier1, west/gateway', ...PROOF },
    });
    expect(crossed.statusCode).toBe(502);
    expect(west.requests).toHaveLength(0);
    const own = await request(`${gw.url}/topics`, { headers: { 'causeway-gateway': 'tier1', ...PROOF } });
    expect(own.statusCode).toBe(200);
    expect(east.requests).toHaveLength(2);
  });
});

describe('reload', () => {
  test('a weight moves traffic, and targets keep their health, counters and connections', async () => {
    const east = await upstream(answerJson({ from: 'east' }));
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }, { west: 0 }) });
    expect(await from(gw)).toBe('east');
    gw.gateway.reload(testConfig({ regions: regions({ east: east.url, west: west.url }, { east: 0 }) }));
    expect(await from(gw)).toBe('west');
    expect(gw.gateway.events.recent().filter((event) => event.type === 'health')).toHaveLength(2);
    expect(gw.gateway.events.recent().findLast(({ type }) => type === 'reload')).toMatchObject({
      type: 'reload',
      changes: ['regions.east.weight: 100 → 0', 'regions.west.weight: 0 → 100'],
    });
  });

  test('other settings leave consumers where they live', async () => {
    const created = answerJson({ instance_id: 'generated', base_uri: 'x' });
    const east = await upstream(created);
    const west = await upstream(created);
    const yaml = { regions: regions({ east: east.url, west: west.url }) };
    const gw = await gateway(yaml);
    await (await request(`${gw.url}/consumers/g`, { method: 'POST' })).body.dump();
    const home = east.requests.length === 1 ? east : west;
    gw.gateway.reload(
      testConfig({ ...yaml, breaker: { resetMs: 1_000 }, upstream: { keepAliveMs: 1_000 }, healthCheck: { rise: 3 } }),
    );
    for (let index = 0; index < 10; index += 1) {
      await (await request(`${gw.url}/consumers/g/instances/generated/records`)).body.dump();
    }
    expect(home.requests).toHaveLength(11);
  });

  test('other settings close a breaker that was open, and say so', async () => {
    const { east, west, gw } = await twoRegions(answerJson({}, 500), { breaker: { minRequests: 2, resetMs: 60_000 } });
    await (await request(`${gw.url}/topics/t`, produce)).body.dump();
    await (await request(`${gw.url}/topics/t`, produce)).body.dump();
    await eventOf(gw, 'breaker');
    gw.gateway.reload(
      testConfig({ regions: regions({ east: east.url, west: west.url }), breaker: { resetMs: 1_000 } }),
    );
    const states = gw.gateway.events.recent().flatMap((event) => (event.type === 'breaker' ? [event.to] : []));
    expect(states).toEqual(['open', 'closed']);
  });

  test('a region that is removed finishes what it has', async () => {
    let finish = (): void => {};
    const east = await upstream((received, response) => {
      finish = () => answerJson({ from: 'east' })(received, response);
    });
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }, { west: 0 }) });
    const pending = request(`${gw.url}/topics/t`, produce);
    await until('it is in flight', () => east.requests.length === 1);
    gw.gateway.reload(testConfig({ regions: regions({ west: west.url }) }));
    expect(await from(gw)).toBe('west');
    finish();
    expect(await (await pending).body.json()).toEqual({ from: 'east' });
  });

  test('a refused one is told until a good one follows', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    gw.gateway.refuseReload('g.yaml:3: wieght: unknown key');
    expect(await configStatus(gw)).toMatchObject({ lastError: { reason: 'g.yaml:3: wieght: unknown key' } });
    gw.gateway.reload(testConfig({ regions: regions({ east: east.url }) }));
    expect(await configStatus(gw)).toMatchObject({ lastError: null });
    const metrics = await (await request(`${gw.adminUrl}/metrics`)).body.text();
    expect(metrics).toContain('causeway_config_reloads_total{result="refused"} 1');
    expect(metrics).toContain('causeway_config_reloads_total{result="applied"} 1');
  });
});

describe('the end', () => {
  test('takes no more connections, finishes what is in flight, and is bounded', async () => {
    let finish = (): void => {};
    const east = await upstream((received, response) => {
      finish = () => answerJson({ from: 'east' })(received, response);
    });
    const gw = await gateway({ regions: regions({ east: east.url }), shutdown: { graceMs: 5_000 } });
    const pending = request(`${gw.url}/topics/t`, produce);
    await until('it is in flight', () => east.requests.length === 1);
    const closed = gw.close();
    await expect(request(`${gw.url}/topics`)).rejects.toThrow();
    finish();
    const answer = await pending;
    expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
    await closed;
  });

  test('a reload that comes too late starts nothing', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    await gw.close();
    const north = await upstream();
    gw.gateway.reload(testConfig({ regions: regions({ north: north.url }) }));
    expect(gw.gateway.events.recent().at(-1)?.type).toBe('stopping');
  });

  test('breaks off what does not finish in time', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }), shutdown: { graceMs: 50 } });
    const pending = request(`${gw.url}/topics/t`, produce);
    const failed = expect(pending).rejects.toThrow();
    await until('it is in flight', () => east.requests.length === 1);
    await gw.close();
    await failed;
    await east.requests[0]?.aborted;
  });
});

describe('admin', () => {
  test('topology tells state, share and load of each region', async () => {
    const { east, gw } = await twoRegions(answerJson({}));
    await (await request(`${gw.url}/topics`)).body.dump();
    await east.kill();
    await until('east is down', async () => {
      const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
        regions: { state: string }[];
      };
      return topology.regions[0]?.state === 'down';
    });
    const topology = await (await request(`${gw.adminUrl}/api/topology`)).body.json();
    expect(topology).toMatchObject({
      gateway: { name: 'gateway', region: null },
      isPanic: false,
      regions: [
        {
          name: 'east',
          weight: 100,
          priority: 0,
          targets: [
            {
              url: east.url,
              isAvailable: false,
              health: { status: 'unhealthy', reason: expect.stringContaining('connection refused') },
              breaker: { state: 'closed' },
            },
          ],
        },
        { name: 'west', state: 'up', inFlight: 0 },
      ],
      config: { file: 'test.yaml', lastError: null },
    });
  });

  test('events are sent as they happen, and from where a listener left off', async () => {
    const { east, gw } = await twoRegions(answerJson({}));
    const stream = await request(`${gw.adminUrl}/api/events`, { headers: { 'last-event-id': '2' } });
    expect(stream.headers['content-type']).toBe('text/event-stream');
    let text = '';
    stream.body.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.body.on('error', () => {});
    await east.kill();
    await until('the flip arrives', () => text.includes('"to":"unhealthy"'));
    expect(text).not.toContain('id: 1\n');
    expect(text).toContain('event: health\ndata: {"type":"health","region":"east"');
    stream.body.destroy();
  });

  test('a region’s own admin API is relayed, and a region without one is told', async () => {
    const east = await upstream();
    const inner = await gateway({ regions: regions({ east: east.url }), gateway: { name: 'inner', region: 'east' } });
    const gw = await gateway({
      regions: [
        { name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] },
        { name: 'west', targets: [{ url: 'http://127.0.0.1:1' }] },
      ],
    });
    const relayed = await request(`${gw.adminUrl}/api/regions/east/topology`);
    expect(await relayed.body.json()).toMatchObject({ gateway: { name: 'inner', region: 'east' } });
    const unknown = await request(`${gw.adminUrl}/api/regions/north/topology`);
    expect([unknown.statusCode, await unknown.body.json()]).toEqual([
      404,
      { error_code: 404, message: 'There is no region north (there: east, west).' },
    ]);
    expect((await request(`${gw.adminUrl}/api/regions/west/topology`)).statusCode).toBe(404);
    expect((await request(`${gw.adminUrl}/nothing`)).statusCode).toBe(404);
  });

  test('metrics count requests, attempts, retries, probes and durations', async () => {
    const { gw } = await twoRegions((_, response) => response.destroy());
    await (await request(`${gw.url}/topics/t`, produce)).body.dump();
    const text = await (await request(`${gw.adminUrl}/metrics`)).body.text();
    expect(text).toContain('causeway_requests_total{region="west",operation="send",outcome="2xx"} 1');
    expect(text).toContain('causeway_attempts_total{region="east",outcome="brokenBeforeHeaders"} 1');
    expect(text).toContain('causeway_retries_total{reason="brokenBeforeHeaders"} 1');
    expect(text).toContain(
      'causeway_request_duration_seconds_bucket{region="west",operation="send",outcome="2xx",le="+Inf"} 1',
    );
    expect(text).toMatch(/causeway_probes_total\{region="east",target="[^"]+",result="good"\} [1-9]/);
    expect(text).toContain('causeway_in_flight_requests');
  });
});

/** Park and Miller's minimal standard generator. */
function seededRandom(): () => number {
  let seed = 7;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}

/** Which region answers a produce. */
async function from(gw: TestGateway): Promise<string> {
  const { body } = await request(`${gw.url}/topics/t`, produce);
  return ((await body.json()) as { from: string }).from;
}

async function configStatus(gw: TestGateway): Promise<unknown> {
  const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as { config: unknown };
  return topology.config;
}

/** Sends bytes as they are and returns all that comes back. */
async function rawExchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('compression', () => {
  test('bodies, answers and what they say of their coding pass as they are', async () => {
    const packed = gzipSync('{"records":[]}');
    const { east, gw } = await twoRegions((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', vary: 'accept-encoding', 'content-length': packed.length });
      response.end(packed);
    });
    const answer = await request(`${gw.url}/topics/t`, {
      method: 'POST',
      headers: { ...produce.headers, 'content-encoding': 'gzip', 'accept-encoding': 'gzip;q=0.5, identity;q=0' },
      body: packed,
    });
    expect(Buffer.from(await answer.body.arrayBuffer())).toEqual(packed);
    expect(answer.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'accept-encoding',
      'content-length': String(packed.length),
    });
    expect(east.requests[0]).toMatchObject({
      headers: { 'content-encoding': 'gzip', 'accept-encoding': 'gzip;q=0.5, identity;q=0' },
      body: packed.toString('utf8'),
    });
  });

  test.each(['gzip, chunked', 'identity, chunked'])('the transfer coding %j is refused: 501', async (coding) => {
    const { east, gw } = await twoRegions(answerJson({}));
    for (const line of ['POST /topics/t', 'GET /topics', 'POST /consumers/g']) {
      const text = `${line} HTTP/1.1\r\n${HOST}transfer-encoding: ${coding}\r\nconnection: close\r\n\r\n0\r\n\r\n`;
      expect(await raw(Number(new URL(gw.url).port), text)).toMatch(/^HTTP\/1\.1 501 [\s\S]*"error_code":501/);
    }
    expect(east.requests).toEqual([]);
  });
});

/** What a gateway passes on, and back, over real sockets. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { HOST, raw } from '../../../test/harness/raw.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, never, produce, rawExchange, twoRegions, upstream } from './fixture.ts';

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
    onTestFinished(() => {
      client.destroy();
    });
    client.write('GET /topics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let before = -1;
    await until('no more can be sent', async () => {
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

  test('a poll says how large a response all gateways on its way can hold', async () => {
    const east = await upstream(answerJson([]));
    const start = (limits: object) => gateway({ regions: regions({ east: east.url }), ...limits });
    const asked = async (
      url: string,
      headers: Record<string, string> = {},
      path = '/consumers/g/instances/i/records',
    ) => {
      await (await request(`${url}${path}`, { headers })).body.dump();
      return east.requests.at(-1)?.headers['causeway-max-response-bytes'];
    };
    const first = await start({});
    expect(await asked(first.url)).toBe('16777216');
    expect(await asked(first.url, {}, '/topics')).toBeUndefined();
    const header = { 'causeway-max-response-bytes': '70000' };
    // A client cannot set it, another gateway can lower it.
    expect(await asked(first.url, header)).toBe('16777216');
    const fromGateway = { ...PROOF, 'causeway-gateway': 'tier1', ...header };
    expect(await asked(first.url, fromGateway)).toBe('70000');
    const small = await start({ response: { bufferBytes: 50_000 } });
    expect(await asked(small.url, fromGateway)).toBe('50000');
    const full = await start({
      limits: { maxInFlightBytes: 4_000_000 },
      request: { bufferBytes: 100_000 },
      response: { bufferBytes: 3_000_000 },
    });
    expect(await asked(full.url)).toBe('3000000');
    const held = connect(Number(new URL(full.url).port), '127.0.0.1');
    onTestFinished(() => {
      held.destroy();
    });
    held.write('POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
    held.write('x'.repeat(90_000));
    await until('it is held', async () => (await asked(full.url)) === '2910000');
    const streaming = await start({ response: { bufferBytes: 0 } });
    expect(await asked(streaming.url)).toBeUndefined();
    expect(await asked(streaming.url, fromGateway)).toBe('70000');
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

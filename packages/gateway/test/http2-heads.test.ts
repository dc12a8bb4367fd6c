/** Heads of HTTP/2 requests: what is refused in the API's words, what is a reset, and what targets get. */
import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import {
  ERROR,
  FLAG,
  FRAME,
  FrameClient,
  frame,
  headerBlock,
  requestBlock,
} from '../../../test/harness/http2-frames.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../test/harness/upstream.ts';

let east: Upstream;
let gw: TestGateway;
beforeAll(async () => {
  east = await startUpstream();
  gw = await startGateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2: { isEnabled: true } },
    cors: { isEnabled: true, allowedOrigins: ['https://a.example'] },
    request: { maxBodyBytes: 1_000, bufferBytes: 500 },
  });
});
afterAll(async () => {
  await gw.close();
  await east.kill();
});

describe('a request gets the response that it gets over HTTP/1.1', () => {
  const get = { ':path': '/topics' };
  const post = { ':method': 'POST', ':path': '/topics/t' };
  test.each<[name: string, status: number, headers: Record<string, string>, body?: string]>([
    ['to a path of the API', 200, get],
    ['to an unknown path', 200, { ':path': '/unknown' }],
    ['with a method that the path does not have', 405, { ...get, ':method': 'DELETE' }],
    ['with a URL that is too long', 414, { ':path': `/topics/${'x'.repeat(5_000)}` }],
    ['with headers that are too large', 431, { ...get, 'x-large': 'x'.repeat(16_500) }],
    [
      'with a long URL, which counts once',
      200,
      { ':path': `/topics?${'x'.repeat(4_000)}`, 'x-large': 'x'.repeat(12_000) },
    ],
    [
      'with headers of gateways, which do not count',
      200,
      { ...get, 'causeway-x': 'x'.repeat(6_000), a: 'x'.repeat(14_000) },
    ],
    ['with a body whose length is too large', 413, { ...post, 'content-length': '2000' }, 'x'.repeat(2_000)],
    ['with a body that turns out too large', 413, post, 'x'.repeat(2_000)],
    ['with a body of no declared length', 200, post, 'x'.repeat(100)],
    ['with a body that is streamed', 200, post, 'x'.repeat(900)],
    ['with a declared body that is streamed', 200, { ...post, 'content-length': '900' }, 'x'.repeat(900)],
    ['with an empty body', 200, { ...post, 'content-length': '0' }, ''],
    ['with an expectation that no gateway meets', 417, { ...get, expect: 'tea' }],
    ['with an invalid percent-encoding', 400, { ':path': '/topics/%zz' }],
    ['with a fragment', 400, { ':path': '/topics#a' }],
    ['with a scheme other than http and https', 400, { ...get, ':scheme': 'ftp' }],
    ['with https as scheme, as through a proxy', 200, { ...get, ':scheme': 'https' }],
    ['with a Host that differs from :authority', 400, { ...get, ':authority': 'a.example', host: 'b.example' }],
    ['with a Host that says the same', 200, { ...get, ':authority': 'a.example:', host: 'A.example' }],
    ['from a page of an origin that is not allowed', 403, { ...get, origin: 'https://b.example' }],
    ['of OPTIONS to *', 204, { ':method': 'OPTIONS', ':path': '*' }],
    ['that only asks for the head', 200, { ...get, ':method': 'HEAD' }],
    ['for the health', 200, { ':path': '/healthy' }],
    ['with TE: trailers', 200, { ...get, te: 'trailers' }],
  ])('%s', async (_, status, headers, body) => {
    const client = connect(gw.url);
    const answer = await fetchHttp2(client, headers, body);
    expect(answer.status).toBe(status);
    if (status >= 400 && status !== 403) expect(JSON.parse(answer.text)).toMatchObject({ error_code: status });
    if (status === 204 || headers[':method'] === 'HEAD') expect(answer.text).toBe('');
    client.destroy();
  });

  test('and its error has the headers for pages of other origins', async () => {
    const client = connect(gw.url);
    const { headers } = await fetchHttp2(client, { ...get, ':method': 'DELETE', origin: 'https://a.example' });
    expect(headers['access-control-allow-origin']).toBe('https://a.example');
    client.destroy();
  });
});

test('a client that waits for 100 Continue gets it, and its body arrives', async () => {
  const client = connect(gw.url);
  const stream = client.request({
    ':method': 'POST',
    ':path': '/topics/t',
    expect: '100-continue',
    'content-length': 2,
  });
  await new Promise<void>((resolve) => stream.once('continue', resolve));
  stream.end('{}');
  await new Promise<void>((resolve) => stream.once('response', () => resolve()));
  expect(east.requests.at(-1)).toMatchObject({ body: '{}' });
  expect(east.requests.at(-1)?.headers.expect).toBeUndefined();
  client.destroy();
});

describe('the target gets', () => {
  test('cookies as one header, :authority as Host, and neither TE nor trailers', async () => {
    const client = await FrameClient.open(gw.url);
    const block = requestBlock('POST', '/topics/crumbs', [
      ['cookie', 'a=1'],
      ['te', 'trailers'],
      ['trailer', 'x-trailer'],
      ['cookie', 'b=2'],
    ]);
    client.write(
      frame(FRAME.headers, FLAG.endHeaders, 1, block),
      frame(FRAME.data, 0, 1, '{}'),
      frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, headerBlock([['x-trailer', 'v']])),
    );
    await until('it is answered', () => client.isAnswered(1));
    const received = east.requests.find(({ url }) => url === '/topics/crumbs');
    expect(received?.headers).toMatchObject({ cookie: 'a=1; b=2', host: 'h' });
    expect(received?.body).toBe('{}');
    const names = Object.keys(received?.headers ?? {});
    expect(names.filter((name) => ['te', 'trailer', 'x-trailer'].includes(name) || name.startsWith(':'))).toEqual([]);
    client.socket.destroy();
  });
});

describe('a malformed request is reset, and the other streams of its connection continue', () => {
  const wellFormed = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/topics'],
    [':authority', 'h'],
  ] as const;
  const without = (name: string) => wellFormed.filter(([other]) => other !== name);
  const replaced = (name: string, value: string) =>
    wellFormed.map(([other, text]) => (other === name ? ([name, value] as const) : ([other, text] as const)));
  type Headers = readonly (readonly [string, string])[];
  test.each<[name: string, headers: Headers, body?: string]>([
    ['without :path', without(':path')],
    ['without :method', without(':method')],
    ['without :scheme', without(':scheme')],
    ['with an empty :path', replaced(':path', '')],
    ['with a :path that is a URL', replaced(':path', 'http://h/topics')],
    ['with a second :path', [...wellFormed, [':path', '/a']]],
    ['with an unknown pseudo-header', [[':proto', 'x'], ...wellFormed]],
    ['with a pseudo-header after a header', [['x', 'y'], ...wellFormed]],
    ['of a response, with :status', [...wellFormed, [':status', '200']]],
    ['with an upper-case name', [...wellFormed, ['X-Upper', 'a']]],
    ['with CR and LF in :path', replaced(':path', '/a HTTP/1.1\r\nevil: b')],
    ['with a space in :method', replaced(':method', 'GET /')],
    ['with CR and LF in :authority', replaced(':authority', 'h\r\nevil: b')],
    ['with user information in :authority', replaced(':authority', 'me@h')],
    ['with Connection', [...wellFormed, ['connection', 'close']]],
    ['with Keep-Alive', [...wellFormed, ['keep-alive', '1']]],
    ['with Proxy-Connection', [...wellFormed, ['proxy-connection', 'close']]],
    ['with Upgrade', [...wellFormed, ['upgrade', 'h2c']]],
    ['with Transfer-Encoding', [...wellFormed, ['transfer-encoding', 'chunked']]],
    ['with a TE other than trailers', [...wellFormed, ['te', 'gzip']]],
    ['with two lengths', [...wellFormed, ['content-length', '2'], ['content-length', '2']], '{}'],
    ['with a length that is no number', [...wellFormed, ['content-length', '+2']], '{}'],
    ['with a length above that of its body', [...wellFormed, ['content-length', '3']], '{}'],
    ['with a length and no body', [...wellFormed, ['content-length', '3']]],
    ['of extended CONNECT', [[':method', 'CONNECT'], [':protocol', 'websocket'], ...wellFormed.slice(1)]],
    ['with two Host headers', [...wellFormed, ['host', 'h'], ['host', 'h']]],
  ])('%s', async (_, headers, body) => {
    east.requests.length = 0;
    const client = await FrameClient.open(gw.url);
    const flags = FLAG.endHeaders | (body === undefined ? FLAG.endStream : 0);
    client.write(frame(FRAME.headers, flags, 1, headerBlock(headers)));
    if (body !== undefined) client.write(frame(FRAME.data, FLAG.endStream, 1, body));
    client.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 3, requestBlock('GET', '/topics/marker')));
    await until('the other stream is answered', () => client.isAnswered(3));
    await until('the stream is reset, or refused', () => client.resetCode(1) !== undefined || client.isAnswered(1));
    expect(client.of(1, FRAME.data)).toEqual([]);
    expect(client.resetCode(1)).toBe(ERROR.protocolError);
    expect(client.goaways).toEqual([]);
    const others = east.requests.filter(({ url }) => url !== '/topics/marker');
    // The bytes that a declared length promises may have left before the stream turned out longer.
    expect(others.every((request) => request.body.length === Number(request.headers['content-length']))).toBe(true);
    expect(others.length).toBeLessThanOrEqual(body === undefined ? 0 : 1);
    client.socket.destroy();
  });

  test('CONNECT, which Node passes on, gets 501', async () => {
    const client = connect(gw.url);
    const { status } = await fetchHttp2(client, { ':method': 'CONNECT', ':authority': 'other.example:443' }).catch(
      (error: Error) => ({ status: error.message }),
    );
    expect(status).toBe(501);
    client.destroy();
  });

  test.each<[name: string, header: readonly [string, string]]>([
    ['with a space in its name', ['x y', 'evil']],
    ['with a colon in its name', ['x:y', 'evil']],
    ['with CR and LF in its value', ['x', 'a\r\nevil: b']],
    ['with NUL in its value', ['x', 'evil\0b']],
    ['with a space around its value', ['x', ' evil']],
  ])('a header %s is dropped, as Node does', async (_, header) => {
    east.requests.length = 0;
    const client = await FrameClient.open(gw.url);
    client.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, requestBlock('GET', '/topics', [header])));
    await until('it is answered', () => client.isAnswered(1));
    expect(JSON.stringify(east.requests[0]?.headers)).not.toContain('evil');
    client.socket.destroy();
  });

  test('a body above its length ends the connection, as Node does, and no other one', async () => {
    east.requests.length = 0;
    const client = await FrameClient.open(gw.url);
    const block = requestBlock('POST', '/topics/t', [['content-length', '1']]);
    client.write(frame(FRAME.headers, FLAG.endHeaders, 1, block), frame(FRAME.data, FLAG.endStream, 1, '{}'));
    await until('the connection has ended', () => client.isClosed);
    expect(client.goaways.length).toBe(1);
    expect(east.requests.filter(({ body }) => body.length > 1)).toEqual([]);
    const other = connect(gw.url);
    expect((await fetchHttp2(other, { ':path': '/topics' })).status).toBe(200);
    other.destroy();
  });

  test('a header list far beyond the limit gets 431, and one of too many headers is reset', async () => {
    const client = await FrameClient.open(gw.url);
    const sendList = (stream: number, headers: readonly (readonly [string, string])[]): void => {
      client.write(frame(FRAME.headers, FLAG.endStream, stream, requestBlock('GET', '/topics')));
      headers.forEach((header, index) => {
        const flags = index === headers.length - 1 ? FLAG.endHeaders : 0;
        client.write(frame(FRAME.continuation, flags, stream, headerBlock([header])));
      });
    };
    sendList(
      1,
      Array.from({ length: 6 }, (_, index) => [`x-${index}`, 'x'.repeat(16_000)]),
    );
    await until('it is answered', () => client.isAnswered(1));
    expect(client.of(1, FRAME.data)[0]?.payload.toString()).toContain('"error_code":431');
    // One header of 4,000 bytes, then references to it of one byte each.
    const large = Buffer.concat([Buffer.of(0x40), headerBlock([['x', 'y'.repeat(3_900)]]).subarray(1)]);
    const bomb = Buffer.concat([requestBlock('GET', '/topics'), large, Buffer.alloc(10_000, 0xbe)]);
    client.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 3, bomb));
    client.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 5, requestBlock('GET', '/topics')));
    await until('the next stream is answered', () => client.isAnswered(5));
    expect(client.resetCode(3)).toBe(ERROR.enhanceYourCalm);
    client.socket.destroy();
  });
});

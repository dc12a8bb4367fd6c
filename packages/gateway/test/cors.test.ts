/** Pages of other origins and a gateway: preflights and its own errors, also while no region can be reached. */
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { answersOf, HOST, raw } from '../../../test/harness/raw.ts';
import { answerJson, startUpstream, type Upstream } from '../../../test/harness/upstream.ts';

let upstream: Upstream;
let gw: TestGateway;
afterEach(async () => {
  await gw.close();
  await upstream.kill();
});

async function start(cors: object, limits: object = {}): Promise<void> {
  upstream = await startUpstream(answerJson([]));
  gw = await startGateway({
    regions: regions({ east: upstream.url }),
    cors: { isEnabled: true, allowedOrigins: ['https://a.example'], ...cors },
    request: { maxBodyBytes: 1_000, ...limits },
  });
}

type Method = 'GET' | 'POST' | 'OPTIONS' | 'DELETE';
async function ask(method: Method, path: string, headers: Record<string, string> = {}, body = '') {
  const answer = await request(`${gw.url}${path}`, {
    method,
    headers: { origin: 'https://a.example', ...headers },
    body: body === '' ? null : body,
  });
  await answer.body.dump();
  return { status: answer.statusCode, headers: answer.headers };
}

test('every answer of the gateway itself has the headers, and the preflight does not need a region', async () => {
  await start({});
  const preflight = { 'access-control-request-method': 'POST' };
  const answers = async () => ({
    preflight: await ask('OPTIONS', '/topics/t', preflight),
    tooLarge: await ask('POST', '/topics/t', {}, 'x'.repeat(2_000)),
    tooLong: await ask('GET', `/topics/${'x'.repeat(5_000)}`),
    headers: await ask('GET', '/topics', { 'x-large': 'x'.repeat(16_500) }),
    passedOn: await ask('GET', '/topics'),
  });
  const up = await answers();
  expect(Object.values(up).map(({ status }) => status)).toEqual([204, 413, 414, 431, 200]);
  await upstream.kill();
  const down = await answers();
  expect(Object.values(down).map(({ status }) => status >= 502 || [204, 413, 414, 431].includes(status))).toEqual(
    Array(5).fill(true),
  );
  for (const { headers } of [...Object.values(up), ...Object.values(down)]) {
    expect(headers['access-control-allow-origin']).toBe('https://a.example');
    expect(headers['vary']).toBe('origin');
  }
  expect(down.passedOn.headers['access-control-expose-headers']).toBe(
    'retry-after,x-request-id,ratelimit,ratelimit-policy,idempotency-replayed',
  );
  for (const { headers } of [up.preflight, down.preflight]) {
    expect(headers['access-control-max-age']).toBe('600');
    const allowed = String(headers['access-control-allow-headers']).split(',');
    expect(allowed).toEqual(
      expect.arrayContaining([
        'authorization',
        'x-api-key',
        'x-request-id',
        'traceparent',
        'idempotency-key',
        'content-type',
      ]),
    );
  }
});

test('headers and age are what the configuration says; a bridge’s own word stands alone', async () => {
  await start({ allowedHeaders: ['x-mine'], exposedHeaders: [], maxAgeSeconds: 5 });
  const { headers } = await ask('OPTIONS', '/topics/t', { 'access-control-request-method': 'POST' });
  expect([headers['access-control-allow-headers'], headers['access-control-max-age']]).toEqual(['x-mine', '5']);
  upstream.handle = (_, response) =>
    response.writeHead(200, { 'access-control-allow-origin': '*', 'content-length': 0 }).end();
  expect((await ask('GET', '/topics')).headers['access-control-allow-origin']).toBe('*');
});

test('another origin is refused, and health is no part of it', async () => {
  await start({});
  for (const origin of ['https://b.example', 'garbage']) {
    const refused = await ask('DELETE', '/consumers/g/instances/c', { origin });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([403, undefined]);
    expect((await ask('GET', '/healthy', { origin })).status).toBe(200);
  }
  expect(upstream.requests).toEqual([]);
});

/** Answered before there is a request: on the bare connection. */
const ORIGIN = 'Origin: https://a.example\r\n';
test.each([
  ['headers beyond every limit', `GET /topics HTTP/1.1\r\n${HOST}${ORIGIN}x-large: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ['a URL beyond every limit', `GET /${'x'.repeat(40_000)} HTTP/1.1\r\n${HOST}${ORIGIN}\r\n`, 414],
  ['an invalid header', `GET /topics HTTP/1.1\r\n${HOST}${ORIGIN}a b: c\r\n\r\n`, 400],
  ['a body that stops', `POST /topics/t HTTP/1.1\r\n${HOST}${ORIGIN}content-length: 9\r\n\r\n{`, 408],
  ['invalid chunks', `POST /topics/t HTTP/1.1\r\n${HOST}${ORIGIN}transfer-encoding: chunked\r\n\r\nzz\r\n`, 400],
])('%s: pages of allowed origins, and no others, read why', async (_, text, status) => {
  await start({}, { bodyTimeoutMs: 100 });
  const port = Number(new URL(gw.url).port);
  const [answer] = answersOf(await raw(port, text));
  expect([answer?.status, answer?.headers['access-control-allow-origin']]).toEqual([status, 'https://a.example']);
  for (const foreign of ['Origin: https://b.example\r\n', '']) {
    const [other] = answersOf(await raw(port, text.replace(ORIGIN, foreign)));
    // Where the head was understood, a foreign origin is what is wrong.
    expect([status, 403]).toContain(other?.status);
    expect(other?.headers['access-control-allow-origin']).toBeUndefined();
  }
});

import { Cors } from '@causeway/http/cors.ts';
import { describe, expect, inject, test } from 'vitest';
import { bridgeOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { HOST, raw } from '../../../../test/harness/raw.ts';

const METHODS: ('GET' | 'POST' | 'DELETE')[] = ['GET', 'POST', 'DELETE'];

describe('an origin is compared with the list', () => {
  test.each([
    [['https://a.example'], undefined, 'none'],
    [['https://a.example'], 'https://a.example', 'allowed'],
    [['https://a.example'], 'https://a.example:8443', 'rejected'],
    [['https://a.example'], 'http://a.example', 'rejected'],
    [['https://a.example'], 'https://xa.example', 'rejected'],
    [['https://a.example', 'https://b.example'], 'https://b.example', 'allowed'],
    [['/https:\\/\\/[a-z]+\\.example/'], 'https://b.example', 'allowed'],
    [['/https:\\/\\/[a-z]+\\.example/'], 'https://b.example.evil', 'rejected'],
    [['/https:\\/\\/[a-z]+\\.example|http:\\/\\/localhost/'], 'https://evil/http://localhost', 'rejected'],
    [['/https:.*/', 'null'], 'null', 'allowed'],
    [['*'], 'https://any.example', 'allowed'],
    [['*'], 'null', 'allowed'],
    [['*'], 'garbage', 'rejected'],
    [['*'], 'https://a.example/path', 'rejected'],
    [['*'], 'https://a.example, https://b.example', 'rejected'],
    [['*'], '', 'rejected'],
  ] as const)('%j, %s: %s', (allowedOrigins, origin, verdict) => {
    const cors = new Cors({
      allowedOrigins: [...allowedOrigins],
      allowedMethods: METHODS,
      allowedHeaders: [],
      exposedHeaders: [],
      maxAgeSeconds: 0,
    });
    expect(cors.judge(origin)).toBe(verdict);
  });
});

const bridge = await bridgeOfFile({
  cors: { isEnabled: true, allowedOrigins: ['https://a.example'], allowedMethods: ['POST', 'GET'] },
});

describe('with a list of origins', () => {
  const ask = (request: string, headers = '') =>
    raw(bridge.bridge.port, `${request} HTTP/1.1\r\n${HOST}${headers}connection: close\r\n\r\n`);

  test('a preflight gets the allowed methods and headers, for any path and method', async () => {
    for (const [path, method] of [
      ['/topics/t', 'POST'],
      ['/nothing', 'BREW'],
    ]) {
      const answer = await ask(
        `OPTIONS ${path}`,
        `origin: https://a.example\r\naccess-control-request-method: ${method}\r\n`,
      );
      const [status, ...headers] = answer.trim().split('\r\n');
      expect(status).toBe('HTTP/1.1 204 No Content');
      expect(headers.filter((line) => !/^connection:/i.test(line)).sort()).toEqual([
        'access-control-allow-headers: access-control-allow-origin,content-length,x-forwarded-proto,x-forwarded-host,origin,x-requested-with,content-type,access-control-allow-methods,accept,authorization,x-api-key,x-request-id,traceparent,idempotency-key',
        'access-control-allow-methods: POST,GET',
        'access-control-allow-origin: https://a.example',
        'access-control-max-age: 600',
        'vary: origin',
      ]);
    }
  });

  test('another origin is refused, for every request', async () => {
    for (const request of ['GET /', 'POST /consumers/g', 'OPTIONS /', 'GET /nothing']) {
      for (const origin of ['https://b.example', 'garbage']) {
        const answer = await ask(request, `origin: ${origin}\r\naccess-control-request-method: GET\r\n`);
        const [head = '', body] = answer.split('\r\n\r\n');
        expect(head).toMatch(/^HTTP\/1\.1 403 CORS Rejected - Invalid origin\r\n/);
        expect(head).not.toMatch(/content-type|access-control/i);
        expect(body).toBe('CORS Rejected - Invalid origin');
      }
    }
    expect((await bridge.get('/metrics')).text).toMatch(
      /^causeway_bridge_requests_total\{operation="unknown",outcome="4xx"\} 8$/m,
    );
  });

  test.each([
    ['GET', '/', 200],
    ['GET', '/consumers/g/instances/unknown/records', 404],
    ['GET', '/nothing', 404],
    ['PUT', '/topics', 405],
    ['OPTIONS', '/topics', 405],
    ['POST', '/topics/t', 400],
    ['GET', '/topics/%zz', 400],
  ])('the page may read the response to %s %s', async (method, path, status) => {
    const answer = await bridge.request(method, path, { headers: { origin: 'https://a.example' } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://a.example');
    expect(answer.headers.get('access-control-expose-headers')).toBe(
      'retry-after,x-request-id,ratelimit,ratelimit-policy,idempotency-replayed',
    );
    expect(answer.headers.get('vary')).toBe('origin');
    const plain = await bridge.request(method, path);
    expect(plain).toMatchObject({ status, text: answer.text });
    expect(plain.headers.get('access-control-allow-origin')).toBeNull();
    expect(plain.headers.get('vary')).toBe('origin');
  });

  test('the page can read the refusal of a body that is too large', async () => {
    const answer = await ask('POST /topics/t', 'origin: https://a.example\r\ncontent-length: 99999999\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('access-control-allow-origin: https://a.example');
  });

  test('health and metrics are not for pages', async () => {
    for (const path of ['/healthy', '/metrics', '//metrics/']) {
      const answer = await bridge.request('GET', path, { headers: { origin: 'https://b.example' } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('vary') ?? '').not.toMatch(/origin/i);
    }
    const preflight = `origin: https://a.example\r\naccess-control-request-method: GET\r\n`;
    expect(await ask('OPTIONS /healthy', preflight)).toMatch(/^HTTP\/1\.1 405 /);
  });
});

test('with * every origin may read, and there is no Vary header', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), { cors: { isEnabled: true } });
  try {
    const answer = await bridge.get('/', { origin: 'https://any.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('vary')).toBeNull();
    expect((await bridge.get('/', { origin: 'garbage' })).status).toBe(403);
  } finally {
    await bridge.close();
  }
});

test('without CORS, origins are ignored', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'));
  try {
    const answer = await bridge.get('/', { origin: 'garbage' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('vary')).toBeNull();
    const headers = { origin: 'https://a.example', 'access-control-request-method': 'GET' };
    expect((await bridge.request('OPTIONS', '/', { headers })).status).toBe(405);
  } finally {
    await bridge.close();
  }
});

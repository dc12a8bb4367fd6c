import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../../../test/harness/admin.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../../test/harness/gateway.ts';
import { startUpstream, type Upstream } from '../../../../test/harness/upstream.ts';
import { foreignOrigin } from './cross-site.ts';

const HOST = 'ops.example:8081';
const here = { scheme: 'http', allowedOrigins: [], isOfPage: false } as const;

describe('the sender of a request is', () => {
  test.each<[string, string | undefined, Record<string, string>, Partial<Parameters<typeof foreignOrigin>[1]>]>([
    ['a program', undefined, {}, {}],
    ['this page', undefined, { origin: 'http://ops.example:8081' }, {}],
    ['this page', undefined, { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }, {}],
    ['the address bar', undefined, { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, {}],
    ['another site', '"https://evil.example"', { origin: 'https://evil.example' }, {}],
    ['another port', '"http://ops.example:8082"', { origin: 'http://ops.example:8082' }, {}],
    ['the default port', '"http://ops.example"', { origin: 'http://ops.example' }, {}],
    ['another scheme', '"https://ops.example:8081"', { origin: 'https://ops.example:8081' }, {}],
    ['another scheme', '"http://ops.example:8081"', { origin: 'http://ops.example:8081' }, { scheme: 'https' }],
    ['a name that only begins alike', '"http://ops.example:80812"', { origin: 'http://ops.example:80812' }, {}],
    ['a subdomain', '"http://x.ops.example:8081"', { origin: 'http://x.ops.example:8081' }, {}],
    ['a sandbox', '"null"', { origin: 'null' }, {}],
    ['two origins', '"http://ops.example:8081, https://a"', { origin: 'http://ops.example:8081, https://a' }, {}],
    ['an empty origin', '""', { origin: '' }, {}],
    ['a false attestation', '"https://a"', { origin: 'https://a', 'sec-fetch-site': 'same-origin' }, {}],
    ['another site without Origin', 'another origin', { 'sec-fetch-site': 'cross-site' }, {}],
    ['another port without Origin', 'another origin', { 'sec-fetch-site': 'same-site' }, {}],
    ['https on its default port', undefined, { origin: 'https://ops', host: 'ops:443' }, { scheme: 'https' }],
    ['https on its default port', undefined, { origin: 'https://ops', host: 'OPS' }, { scheme: 'https' }],
    ['an allowed origin', undefined, { origin: 'https://ops' }, { allowedOrigins: ['https://ops'] }],
    ['an allowed origin', undefined, { origin: 'https://ops' }, { allowedOrigins: ['https://OPS:443'] }],
    ['not an allowed origin', '"http://ops"', { origin: 'http://ops' }, { allowedOrigins: ['https://ops'] }],
    ['never a sandbox', '"null"', { origin: 'null' }, { allowedOrigins: ['data://x', 'null'] }],
    [
      'a link to the page',
      undefined,
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      { isOfPage: true },
    ],
    [
      'a link to something else',
      'another origin',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      {},
    ],
    [
      'a frame',
      'another origin',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      { isOfPage: true },
    ],
    ['an image', 'another origin', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }, { isOfPage: true }],
  ])('%s: %s', (_, foreign, headers, others) => {
    expect(foreignOrigin({ host: HOST, ...headers }, { ...here, ...others })).toBe(foreign);
  });

  test('not known to be this page without a Host', () => {
    expect(foreignOrigin({ origin: 'http://undefined' }, here)).toBe('"http://undefined"');
  });
});

describe('an admin port', () => {
  let upstreams: Upstream[];
  let gw: TestGateway;
  beforeAll(async () => {
    upstreams = [await startUpstream(), await startUpstream()];
    const [east, west] = upstreams.map(({ url }) => url);
    const admin = { port: 0, token: TEST_TOKEN, allowedOrigins: ['https://ops.example'] };
    gw = await startGateway({
      admin,
      regions: regions({ east: String(east), west: String(west) }),
    });
  });
  afterAll(async () => {
    await gw.close();
    for (const upstream of upstreams) await upstream.kill();
  });

  test('refuses pages of other origins on every path but /healthy and /ready, also with a token', async () => {
    const { paths } = (await ask(`${gw.adminUrl}/api/openapi.json`)).body as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path.replace('{region}', 'east')] as const),
    );
    const others = [
      ['GET', '/'],
      ['GET', '/page/main.ts'],
      ['GET', '/nowhere'],
      ['POST', '/nowhere'],
    ] as const;
    const statuses: Record<string, number> = {};
    for (const [method, path] of [...routes, ...others]) {
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        const { status } = await ask(`${gw.adminUrl}${path}`, {
          method: method as 'GET',
          headers: headers as Record<string, string>,
        });
        statuses[`${method} ${path}`] = Math.max(status, statuses[`${method} ${path}`] ?? 0);
      }
    }
    const open = Object.keys(statuses).filter((route) => statuses[route] !== 403);
    expect(open).toEqual(['GET /healthy', 'GET /ready']);
    expect(Object.keys(statuses).length).toBeGreaterThan(15);
    expect(gw.gateway.events.recent().filter(({ type }) => type === 'drain' || type === 'weight')).toEqual([]);
  });

  test('names the origin and the key in its refusal, lets no page read it, and serves its own page and allowed ones', async () => {
    const drain = (origin: string, method: 'POST' | 'GET' = 'POST', path = '/api/regions/east/drain') =>
      ask(`${gw.adminUrl}${path}`, { method, headers: { origin } });
    const refused = await drain('https://evil.example');
    expect(refused).toMatchObject({
      status: 403,
      body: {
        error_code: 403,
        message:
          'The admin API accepts no requests from pages of "https://evil.example": add the origin to admin.allowedOrigins if its pages may send them.',
      },
    });
    expect(Object.keys(refused.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect((await drain('https://ops.example')).status).toBe(200);
    expect((await drain(new URL(gw.adminUrl).origin, 'POST', '/api/regions/east/undrain')).status).toBe(200);
  });
});

test('what the gateway of a region responds speaks for no origin, and no browser runs it', async () => {
  const bridge = await startUpstream();
  const region = await startUpstream((_, response) => {
    const others = { 'access-control-allow-origin': '*', 'set-cookie': 'a=b', 'clear-site-data': '"*"', refresh: '0' };
    response.writeHead(418, { 'content-type': 'text/html', 'retry-after': '7', ...others }).end('<script></script>');
  });
  const gw = await startGateway({
    regions: [{ name: 'east', targets: [{ url: bridge.url, adminUrl: region.url }] }],
  });
  const { status, headers, text } = await ask(`${gw.adminUrl}/api/regions/east/hello`);
  await gw.close();
  await Promise.all([bridge.kill(), region.kill()]);
  const { date: _, connection: __, 'keep-alive': ___, 'transfer-encoding': ____, ...kept } = headers;
  expect({ status, text, kept }).toEqual({
    status: 418,
    text: '<script></script>',
    kept: {
      'content-type': 'text/html',
      'retry-after': '7',
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    },
  });
});

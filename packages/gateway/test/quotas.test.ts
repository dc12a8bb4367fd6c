/** Quotas of clients, at gateways over real sockets: HTTP/1.1 and HTTP/2, one tier and two. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { valueIn } from '../../../test/harness/exposition.ts';
import { type ConfigOverrides, regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import { until } from '../../../test/harness/until.ts';
import type { Upstream, UpstreamHandler } from '../../../test/harness/upstream.ts';
import { gateway, upstream } from './fixture.ts';

/** A gateway whose clock stops once it has started, and is set by the test: buckets fill by it. */
async function start(
  quotas: object,
  { handle, ...others }: ConfigOverrides & { handle?: UpstreamHandler } = {},
): Promise<{ gw: TestGateway; east: Upstream; clock: { nowMs: number } }> {
  const east = await upstream(handle);
  const clock = { nowMs: 0, isSet: false };
  const gw = await startGateway(
    { regions: regions({ east: east.url }), listen: { port: 0, http2: { isEnabled: true } }, quotas, ...others },
    { now: () => (clock.isSet ? clock.nowMs : performance.now()) },
  );
  onTestFinished(gw.close);
  Object.assign(clock, { nowMs: performance.now(), isSet: true });
  return { gw, east, clock };
}

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
}

async function overHttp1(gw: TestGateway, path = '/topics', headers: Record<string, string> = {}): Promise<Answer> {
  const response = await request(`${gw.url}${path}`, { headers });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}

async function metric(gw: TestGateway, name: string, labels: Record<string, string>): Promise<number> {
  return valueIn(await (await request(`${gw.adminUrl}/metrics`)).body.text(), name, labels);
}

function session(gw: TestGateway): ClientHttp2Session {
  const client = connect(gw.url);
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return client;
}

describe.each(['HTTP/1.1', 'HTTP/2'])('over %s', (version) => {
  async function ask(gw: TestGateway): Promise<Answer> {
    return version === 'HTTP/1.1' ? overHttp1(gw) : await fetchHttp2(session(gw), { ':path': '/topics' });
  }

  test('requests beyond the limit get 429 with the time after which the next one succeeds, and cost no target anything', async () => {
    const { gw, east, clock } = await start({ default: { requestsPerSecond: 1, requestBurst: 2 } });
    const before = [await ask(gw), await ask(gw)];
    const refused = await ask(gw);
    expect(before.map(({ status, headers }) => [status, headers['ratelimit']])).toEqual([
      [200, '"requests";r=1;t=1'],
      [200, '"requests";r=0;t=1'],
    ]);
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.text)).toEqual({
      error_code: 429,
      message: 'The quota requestsPerSecond (1) is used up: retry after 1 s.',
    });
    expect(refused.headers).toMatchObject({
      'retry-after': '1',
      ratelimit: '"requests";r=0;t=1',
      'ratelimit-policy': '"requests";q=1;w=1;causeway-burst=2',
      'content-type': 'application/vnd.kafka.v2+json',
    });
    expect(gw.gateway.events.recent().filter(({ type }) => type === 'quotaExceeded')).toMatchObject([
      { quota: 'requestsPerSecond', who: '127.0.0.1', requestCount: 1 },
    ]);
    const reached = () => east.requests.filter(({ url }) => url === '/topics').length;
    expect(reached()).toBe(2);
    clock.nowMs += 1_000;
    expect((await ask(gw)).status).toBe(200);
    expect(reached()).toBe(3);
    expect(await metric(gw, 'causeway_quota_refused_total', { limit: 'requestsPerSecond', principal: 'none' })).toBe(1);
    expect(await metric(gw, 'causeway_attempts_total', { region: 'east', outcome: 'answered' })).toBe(3);
    expect(
      await metric(gw, 'causeway_requests_total', { region: 'none', operation: 'listTopics', outcome: '4xx' }),
    ).toBe(1);
  });

  test('a poll that waits has its place in flight, also while others are refused, until its client leaves', async () => {
    const { gw, east } = await start({ default: { maxInFlight: 1 } }, { handle: () => {} });
    const client = session(gw);
    const abort = new AbortController();
    const path = '/consumers/g/instances/i/records';
    if (version === 'HTTP/1.1') request(`${gw.url}${path}`, { signal: abort.signal }).catch(() => {});
    else fetchHttp2(client, { ':path': path }).catch(() => {});
    await until('it is in flight', () => east.requests.some(({ url }) => url === path));
    for (let count = 0; count < 3; count += 1) {
      expect(await overHttp1(gw)).toMatchObject({
        status: 429,
        headers: { ratelimit: '"inFlight";r=0', 'retry-after': '1' },
      });
    }
    east.handle = (_, response) => response.end('{}');
    abort.abort();
    client.destroy();
    await until('its place is free', async () => (await overHttp1(gw)).status === 200);
  });
});

test('bytes of both bodies are paid for, also while a response streams', async () => {
  const big = Buffer.alloc(3_000_000);
  const { gw, east, clock } = await start(
    { default: { bytesPerSecond: 100_000 } },
    { response: { bufferBytes: 65_536 } },
  );
  let rest: (() => void) | undefined;
  east.handle = ({ url }, response) => {
    if (url !== '/topics/t') {
      response.end('{}');
      return;
    }
    response.write(big);
    rest = () => response.end(big);
  };
  const streamed = await request(`${gw.url}/topics/t`);
  const pieces = streamed.body[Symbol.asyncIterator]();
  expect((await pieces.next()).done).toBe(false);
  // The rest of its response has not come yet.
  await until('the debt is there', async () => (await overHttp1(gw)).status === 429);
  rest?.();
  while ((await pieces.next()).done !== true);
  const { headers } = await overHttp1(gw);
  expect(Number(headers['retry-after'])).toBeGreaterThan(50);
  clock.nowMs += Number(headers['retry-after']) * 1_000;
  east.handle = (_, response) => response.end('{}');
  expect((await overHttp1(gw)).status).toBe(200);
  const produced = await request(`${gw.url}/topics/t`, { method: 'POST', body: Buffer.alloc(200_000) });
  expect(produced.statusCode).toBe(200);
  expect((await overHttp1(gw)).headers['retry-after']).toMatch(/^[12]$/);
});

test.each([
  ['a body that streams', { bufferBytes: 1_000 }],
  ['a body that is kept', { bufferBytes: 10_000_000 }],
])('%s is paid for when it has not arrived as a whole, also when its client leaves', async (_, bounds) => {
  const { gw, clock } = await start({ default: { bytesPerSecond: 100_000 } }, { request: bounds });
  const { hostname, port } = new URL(gw.url);
  const socket = connectTcp(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  socket.write('POST /topics/t HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n');
  socket.write(Buffer.alloc(1_000_000));
  if (bounds.bufferBytes < 1_000_000) await until('it is paid for', async () => (await overHttp1(gw)).status === 429);
  socket.resetAndDestroy();
  await until('it is paid for', async () => (await overHttp1(gw)).status === 429);
  expect(Number((await overHttp1(gw)).headers['retry-after'])).toBeLessThan(12);
  clock.nowMs += 12_000;
  expect((await overHttp1(gw)).status).toBe(200);
});

test('each address has its own share, and of clients behind a proxy each one', async () => {
  const { gw } = await start(
    { default: { requestsPerSecond: 1 }, exempt: ['198.51.100.0/24'] },
    { trust: { proxies: ['127.0.0.1'] } },
  );
  const statusOf = async (client: string): Promise<number> =>
    (await overHttp1(gw, '/topics', { 'x-forwarded-for': client })).status;
  const clients = ['192.0.2.1', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '198.51.100.1', '198.51.100.1'];
  const statuses: number[] = [];
  for (const client of clients) statuses.push(await statusOf(client));
  expect(statuses).toEqual([200, 429, 200, 200, 429, 200, 200]);
});

test('health, readiness and preflights cost nothing, and are served beyond every limit', async () => {
  const { gw } = await start({ default: { requestsPerSecond: 1 } }, { cors: { isEnabled: true } });
  for (let count = 0; count < 3; count += 1) {
    expect((await overHttp1(gw, '/healthy')).status).toBe(200);
    expect((await overHttp1(gw, '/ready')).status).toBe(200);
    const preflight = await request(`${gw.url}/topics`, {
      method: 'OPTIONS',
      headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' },
    });
    expect(preflight.statusCode).toBe(204);
  }
  const [first, second] = [
    await overHttp1(gw, '/topics', { origin: 'https://a.example' }),
    await overHttp1(gw, '/topics', { origin: 'https://a.example' }),
  ];
  expect([first.status, second.status]).toEqual([200, 429]);
  for (const { headers } of [first, second]) {
    expect(headers['access-control-expose-headers']).toContain('ratelimit,ratelimit-policy');
  }
});

test('the first gateway counts a request; those behind it do not, and pass its headers on', async () => {
  const { gw: regional } = await start({ default: { requestsPerSecond: 1 } }, { gateway: { region: 'east' } });
  const tier1 = await gateway({
    regions: regions({ east: regional.url }),
    quotas: { default: { requestsPerSecond: 10, requestBurst: 5 } },
  });
  const answers = [await overHttp1(tier1), await overHttp1(tier1), await overHttp1(tier1)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(answers[0]?.headers['ratelimit-policy']).toBe('"requests";q=10;w=1;causeway-burst=5');
  expect((await overHttp1(regional)).status).toBe(200);
  expect((await overHttp1(regional)).status).toBe(429);
});

test('bridges learn how many consumers a principal may have, and no client says it', async () => {
  const { gw, east } = await start(
    { default: { maxConsumers: 5 } },
    {
      auth: {
        jwt: { issuers: [{ issuer: 'https://id.example', audience: ['a'], jwksFile: '/dev/null' }] },
        anonymous: 'allow',
      },
    },
  );
  for (const path of ['/consumers/g', '/topics/t']) {
    const headers = { 'causeway-max-consumers': '1000000' };
    const response = await request(`${gw.url}${path}`, { method: 'POST', headers, body: '{}' });
    await response.body.dump();
  }
  const sent = east.requests.filter(({ method }) => method === 'POST');
  expect(sent.map(({ headers }) => headers['causeway-max-consumers'])).toEqual(['5', undefined]);
});

test('a reload changes limits, and what was used stays used', async () => {
  const { gw, clock } = await start({ default: { requestsPerSecond: 1 } });
  expect([(await overHttp1(gw)).status, (await overHttp1(gw)).status]).toEqual([200, 429]);
  const { config } = gw.gateway;
  gw.gateway.reload({ ...config, quotas: { ...config.quotas, default: { requestsPerSecond: 100_000 } } });
  expect((await overHttp1(gw)).status).toBe(429);
  clock.nowMs += 1;
  expect((await overHttp1(gw)).status).toBe(200);
  const { default: _, ...none } = config.quotas;
  gw.gateway.reload({ ...config, quotas: none });
  const answer = await overHttp1(gw);
  expect([answer.status, answer.headers['ratelimit']]).toEqual([200, undefined]);
});

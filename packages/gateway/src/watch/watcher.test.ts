/** What the access log says of requests over real sockets, and what attempts take along. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { request } from 'undici';
import { afterAll, afterEach, expect, test } from 'vitest';
import { type ConfigOverrides, startGateway, type TestGateway } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../../test/harness/upstream.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-watch-'));
afterAll(() => rmSync(directory, { recursive: true }));
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

interface Line {
  [key: string]: unknown;
  attempts: Record<string, unknown>[];
}

let fileCount = 0;

async function twoRegions(east: UpstreamHandler, overrides: ConfigOverrides = {}) {
  const upstreams: Upstream[] = [];
  for (const handle of [east, answerJson({ from: 'west' })]) {
    const upstream = await startUpstream(handle);
    cleanups.push(() => upstream.kill());
    upstreams.push(upstream);
  }
  const [eastern, western] = upstreams as [Upstream, Upstream];
  fileCount += 1;
  const file = join(directory, `${fileCount}.log`);
  const gw: TestGateway = await startGateway({
    regions: [
      { name: 'east', priority: 0, targets: [{ url: eastern.url }] },
      { name: 'west', priority: 1, targets: [{ url: western.url }] },
    ],
    accessLog: { file },
    ...overrides,
  });
  cleanups.push(gw.close);
  return { east: eastern, west: western, gw, file };
}

async function lines(file: string, count: number): Promise<Line[]> {
  const read = (): Line[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line))
      : [];
  await until(`${count} lines are written`, () => read().length >= count);
  return read();
}

const secret = 'hunter2';
const produce = {
  method: 'POST',
  headers: {
    'content-type': 'application/vnd.kafka.json.v2+json',
    authorization: `Bearer ${secret}`,
    cookie: `session=${secret}`,
  },
  body: `{"records":[{"value":"${secret}"}]}`,
} as const;

test('a request that failed over has a line with both attempts, and nothing secret in it', async () => {
  const { gw, file, east, west } = await twoRegions((_, response) => response.destroy());
  const answer = await request(`${gw.url}/topics/orders?token=${secret}`, {
    ...produce,
    headers: { ...produce.headers, 'x-request-id': 'mine-1', traceparent: TRACEPARENT },
  });
  expect(answer.statusCode).toBe(200);
  const [line] = await lines(file, 1);
  expect(line).toEqual({
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    requestId: 'mine-1',
    traceId: TRACE,
    client: '127.0.0.1',
    protocol: 'HTTP/1.1',
    method: 'POST',
    operation: 'send',
    path: '/topics/orders',
    status: 200,
    outcome: '2xx',
    region: 'west',
    target: west.url,
    attempts: [
      {
        region: 'east',
        target: east.url,
        outcome: 'brokenBeforeHeaders',
        reason: 'connection closed',
        durationMs: expect.any(Number),
      },
      { region: 'west', target: west.url, outcome: 'answered', status: 200, durationMs: expect.any(Number) },
    ],
    receivedBytes: produce.body.length,
    sentBytes: '{"from":"west"}'.length,
    durationMs: expect.any(Number),
  });
  expect(readFileSync(file, 'utf8')).not.toContain(secret);
  // Without tracing the client's place in a trace is passed on as it is.
  expect(west.requests[0]?.headers).toMatchObject({ traceparent: TRACEPARENT, 'x-request-id': 'mine-1' });
});

test('a request without an id gets one, which the target receives', async () => {
  const { gw, file, east } = await twoRegions(answerJson({}));
  await request(`${gw.url}/topics`);
  await request(`${gw.url}/topics`, { headers: { 'x-request-id': 'not one "id"' } });
  const written = await lines(file, 2);
  for (const [index, line] of written.entries()) {
    expect(line['requestId']).toMatch(/^[0-9a-f-]{36}$/);
    expect(east.requests[index]?.headers['x-request-id']).toBe(line['requestId']);
  }
});

test('answers of the gateway itself, streams, and clients that left have their lines', async () => {
  const { gw, file, east, west } = await twoRegions(
    (received, response) => {
      if (received.url === '/topics/large') response.end('x'.repeat(100_000));
    },
    { response: { bufferBytes: 1_000 }, request: { attemptTimeoutMs: 20_000, bufferBytes: 100, maxBodyBytes: 400 } },
  );
  await west.kill();
  const large = await request(`${gw.url}/topics/large`);
  expect((await large.body.text()).length).toBe(100_000);
  await request(`${gw.url}/topics/x`, { method: 'POST', body: 'x'.repeat(500) });
  const client = connect(Number(new URL(gw.url).port), '127.0.0.1');
  client.write('GET /topics/slow HTTP/1.1\r\nhost: h\r\n\r\n');
  await until('the request is on its way', () => east.requests.some(({ url }) => url === '/topics/slow'));
  // By a reset: an end alone may be a client that waits for its answer.
  client.resetAndDestroy();
  const written = await lines(file, 3);
  expect(written.map(({ path, status, outcome }) => ({ path, status, outcome }))).toEqual([
    { path: '/topics/large', status: 200, outcome: '2xx' },
    { path: '/topics/x', status: 413, outcome: '4xx' },
    { path: '/topics/slow', status: null, outcome: 'clientGone' },
  ]);
  expect(written[0]).toMatchObject({ sentBytes: 100_000, receivedBytes: 0 });
  expect(written[1]).toMatchObject({ attempts: [], region: 'none' });
  expect(written[2]?.attempts).toMatchObject([{ region: 'east', outcome: 'clientGone' }]);
});

test('a share of the requests has lines, and all that failed have', async () => {
  const { gw, file } = await twoRegions(
    (received, response) => {
      if (received.url === '/topics/bad') response.writeHead(500).end();
      else response.end('{}');
    },
    { accessLog: { file: join(directory, 'sampled.log'), sampleRatio: 0 } },
  );
  expect(existsSync(file)).toBe(false);
  for (let count = 0; count < 20; count += 1) await (await request(`${gw.url}/topics/good`)).body.dump();
  await (await request(`${gw.url}/topics/bad`)).body.dump();
  await gw.close();
  expect((await lines(join(directory, 'sampled.log'), 1)).map(({ path }) => path)).toEqual(['/topics/bad']);
});

test('probes have no lines', async () => {
  const { gw, file } = await twoRegions(answerJson({}));
  await (await request(`${gw.url}/healthy`)).body.dump();
  await (await request(`${gw.url}/ready`)).body.dump();
  await (await request(`${gw.url}/topics`)).body.dump();
  await gw.close();
  expect((await lines(file, 1)).map(({ path }) => path)).toEqual(['/topics']);
});

test('without access log and tracing nothing is added to what is passed on', async () => {
  const { gw, east } = await twoRegions(answerJson({}), { accessLog: undefined });
  await request(`${gw.url}/topics`, { headers: { traceparent: TRACEPARENT, tracestate: 'vendor=1' } });
  expect(east.requests[0]?.headers).toMatchObject({ traceparent: TRACEPARENT, tracestate: 'vendor=1' });
  expect(east.requests[0]?.headers).not.toHaveProperty('x-request-id');
});

test('a log that cannot be opened is an error at the start', async () => {
  await expect(twoRegions(answerJson({}), { accessLog: { file: directory } })).rejects.toThrow(/EISDIR/);
});

test.each([
  ['off', '', false],
  ['on', 'tracing: { endpoint: "http://127.0.0.1:9" }', true],
])('the SDK is loaded only where traces are on: %s', (_, section, isLoaded) => {
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    const { Gateway } = await import('${new URL('../gateway.ts', import.meta.url).href}');
    const { GatewayConfig } = await import('${new URL('../config/schema.ts', import.meta.url).href}');
    const { parseConfig } = await import('${import.meta.resolve('@causeway/config/load.ts')}');
    const text = 'listen: { port: 0 }\\nadmin: { port: 0 }\\nregions: [{ name: e, targets: [{ url: "http://127.0.0.1:9" }] }]\\n${section}';
    const gateway = new Gateway({ config: parseConfig('x', text, { schema: GatewayConfig, env: {} }), configFile: 'x' });
    await gateway.start();
    await gateway.close();
    console.log(loaded.some((url) => url.includes('@opentelemetry/sdk-trace')));
    process.exit(0);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(output.trim()).toBe(String(isLoaded));
});

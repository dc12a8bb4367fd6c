import { afterEach, describe, expect, test } from 'vitest';
import { ask, systemOf, watchLive } from '../../../../test/harness/admin.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../../test/harness/gateway.ts';
import { StallMeter } from '../../../../test/harness/stall-meter.ts';
import { until } from '../../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream } from '../../../../test/harness/upstream.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function upstream(): Promise<Upstream> {
  const started = await startUpstream(answerJson({}));
  open.push({ close: () => started.kill() });
  return started;
}

async function gateway(overrides: Record<string, unknown>): Promise<TestGateway> {
  const started = await startGateway(overrides);
  open.push(started);
  return started;
}

async function twoRegions(): Promise<{ east: Upstream; west: Upstream; gw: TestGateway }> {
  const [east, west] = [await upstream(), await upstream()];
  const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
  return { east, west, gw };
}

async function send(gw: TestGateway, count: number): Promise<void> {
  const body = '{"records":[{"value":"x"}]}';
  const headers = { 'content-type': 'application/vnd.kafka.json.v2+json' };
  for (let index = 0; index < count; index += 1) await ask(`${gw.url}/topics/t`, { method: 'POST', body, headers });
}

describe('access', () => {
  test('changes need the token, and the error says how to send it', async () => {
    const { gw } = await twoRegions();
    const drain = `${gw.adminUrl}/api/regions/east/drain`;
    const without = await ask(drain, { method: 'POST', token: undefined });
    expect(without).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="causeway"' },
      body: { error_code: 401, message: 'This needs the header "Authorization: Bearer TOKEN".' },
    });
    expect(await ask(drain, { method: 'POST', token: 'another' })).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="causeway", error="invalid_token"' },
    });
    expect(await systemOf(gw.adminUrl)).toMatchObject({ regions: [{ isDrained: false }, {}] });
    expect(await ask(drain, { method: 'POST' })).toMatchObject({
      status: 200,
      headers: { 'causeway-holds': expect.stringContaining('until the next reload') },
      body: { name: 'east', isDrained: true, weight: 0, configuredWeight: 100 },
    });
  });

  test('on loopback, reading needs no token', async () => {
    const { gw } = await twoRegions();
    for (const path of ['/healthy', '/ready', '/metrics', '/', '/api/topology', '/api/history', '/api/config']) {
      expect((await ask(`${gw.adminUrl}${path}`, { token: undefined })).status, path).toBe(200);
    }
  });

  test('beyond loopback, everything but health and the page needs the token', async () => {
    const east = await upstream();
    const gw = await gateway({
      admin: { port: 0, host: '0.0.0.0', token: TEST_TOKEN },
      regions: regions({ east: east.url }),
    });
    const adminUrl = gw.adminUrl.replace('0.0.0.0', '127.0.0.1');
    for (const path of ['/healthy', '/ready', '/', '/page/main.ts']) {
      expect((await ask(`${adminUrl}${path}`, { token: undefined })).status, path).toBe(200);
    }
    for (const path of ['/metrics', '/api/topology', '/api/events', '/api/live', '/api/config', '/nothing']) {
      expect((await ask(`${adminUrl}${path}`, { token: undefined })).status, path).toBe(401);
    }
    expect((await ask(`${adminUrl}/metrics`)).status).toBe(200);
  });

  test('without a configured token nothing can be changed, and the error says what is missing', async () => {
    const east = await upstream();
    const gw = await gateway({ admin: { port: 0 }, regions: regions({ east: east.url }) });
    const { adminAccess } = await systemOf(gw.adminUrl);
    expect(adminAccess).toEqual({ canChange: false, reason: expect.stringContaining('admin.tokenFile') });
    for (const token of [undefined, 'any']) {
      expect(await ask(`${gw.adminUrl}/api/regions/east/drain`, { method: 'POST', token })).toMatchObject({
        status: 403,
        body: { error_code: 403, message: adminAccess.reason },
      });
    }
  });
});

describe('weights', () => {
  test('a weight override lasts until the next reload, and is shown as an override', async () => {
    const { gw } = await twoRegions();
    const put = (region: string, body: string) =>
      ask(`${gw.adminUrl}/api/regions/${region}/weight`, {
        method: 'PUT',
        body,
        headers: { 'content-type': 'application/json' },
      });
    expect(await put('east', '{"weight":7}')).toMatchObject({
      status: 200,
      body: { weight: 7, configuredWeight: 100, weightIsOverridden: true },
    });
    expect((await systemOf(gw.adminUrl)).summary).toContain(
      'the weight of east is 7 by an operator, and 100 in the YAML',
    );
    expect(gw.gateway.events.recent().findLast(({ type }) => type === 'weight')).toMatchObject({
      region: 'east',
      from: 100,
      to: 7,
    });
    expect((await put('north', '{"weight":7}')).status).toBe(404);
    for (const body of ['{"weight":-1}', '{"weight":1001}', '{}', '', '{']) {
      expect(await put('east', body), body).toMatchObject({ status: 400, body: { error_code: 400 } });
    }
    expect((await put('east', '{"weight":0}')).status).toBe(200);
    expect(await put('west', '{"weight":0}')).toMatchObject({ status: 409 });
    gw.gateway.reload({ ...gw.gateway.config });
    expect(await systemOf(gw.adminUrl)).toMatchObject({ regions: [{ weight: 100, weightIsOverridden: false }, {}] });
  });
});

test.each([
  ['no type', {}],
  ['the type that curl gives to -d', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['the type text/plain', { 'content-type': 'text/plain' }],
])('a weight with %s gets an error that names the required type', async (_, headers) => {
  const { gw } = await twoRegions();
  const url = `${gw.adminUrl}/api/regions/east/weight`;
  expect(await ask(url, { method: 'PUT', body: '{"weight":50}', headers })).toMatchObject({
    status: 415,
    body: { error_code: 415, message: 'A body here needs the header "Content-Type: application/json".' },
  });
  expect(await systemOf(gw.adminUrl)).toMatchObject({ regions: [{ weight: 100 }, {}] });
});

test('a gateway whose regions have no weight does not claim that they all get traffic', async () => {
  const east = await upstream();
  const gw = await gateway({ regions: regions({ east: east.url }, { east: 0 }) });
  expect(await systemOf(gw.adminUrl)).toMatchObject({
    state: 'down',
    isPanic: false,
    summary: 'No region has weight: no request can be served; no consumers are known.',
  });
  const panicReasons = () =>
    gw.gateway.events.recent().flatMap((event) => (event.type === 'panic' ? [event.reason] : []));
  expect(panicReasons()).toEqual([]);
  const weigh = (weight: number) => {
    const { config } = gw.gateway;
    gw.gateway.reload({ ...config, regions: config.regions.map((region) => ({ ...region, weight })) });
  };
  weigh(100);
  await east.kill();
  await until('panic', async () => (await systemOf(gw.adminUrl)).isPanic);
  weigh(0);
  expect(panicReasons()).toEqual([
    'fewer than 30 % of the targets are available: all of them get traffic',
    'no region has weight: no request can be served',
  ]);
});

test('the only region that can serve keeps its work against an operator', async () => {
  const { east, gw } = await twoRegions();
  await east.kill();
  await until('east is down', async () => (await systemOf(gw.adminUrl)).regions[0]?.state === 'down');
  const drain = (region: string) => ask(`${gw.adminUrl}/api/regions/${region}/drain`, { method: 'POST' });
  expect(await drain('west')).toMatchObject({
    status: 409,
    body: { message: 'Region west is the only one that can serve its work.' },
  });
  expect((await drain('east')).status).toBe(200);
});

describe('the topology', () => {
  test('shows what is down, since when, why, and which region serves instead', async () => {
    const { east, gw } = await twoRegions();
    expect(await systemOf(gw.adminUrl)).toMatchObject({
      state: 'up',
      summary: 'Healthy: east and west up; no consumers are known.',
      redirects: [],
    });
    const killedAt = Date.now();
    await east.kill();
    await until('east is down', async () => (await systemOf(gw.adminUrl)).regions[0]?.state === 'down');
    await send(gw, 200);
    await until('the rates show it', async () => (await systemOf(gw.adminUrl)).redirects.length > 0);
    const system = await systemOf(gw.adminUrl);
    expect(system).toMatchObject({
      state: 'degraded',
      regions: [
        { name: 'east', state: 'down', reason: expect.stringContaining('connection refused'), shareRatio: 0 },
        { name: 'west', state: 'up', shareRatio: 1, targets: [{ kind: 'unknown', behind: null }] },
      ],
      redirects: [{ from: 'east', to: 'west' }],
    });
    expect(Date.parse(system.regions[0]?.since ?? '')).toBeGreaterThanOrEqual(killedAt);
    expect(system.summary).toMatch(
      /^East is down since \d\d:\d\d:\d\d UTC \(.*\), its traffic goes to west; no consumers/,
    );
    // Half of the work belongs to east, by weight.
    const [{ requestsPerSecond } = { requestsPerSecond: 0 }] = system.redirects;
    const share = requestsPerSecond / (system.regions[1]?.rates.requestsPerSecond ?? 0);
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.8);
    expect(system.regions[1]?.targets[0]?.rates.requestsPerSecond).toBeGreaterThan(0);
  });

  test('includes the targets and events of a regional gateway, and reports a silent one', async () => {
    const [east, west] = [await upstream(), await upstream()];
    east.bridge = 'east/bridge';
    east.kafkaHeaders = { 'causeway-kafka': 'up', 'causeway-kafka-rates': 'requests=31.5, errors=0, p50=2.5, p99=10' };
    const inner = await gateway({ gateway: { name: 'inner', region: 'east' }, regions: regions({ east: east.url }) });
    const gw = await gateway({
      regions: [
        { name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] },
        { name: 'west', targets: [{ url: west.url, adminUrl: 'http://127.0.0.1:1' }] },
      ],
    });
    // It does not wait for a slow response.
    await until('both were asked', async () => {
      const [first, second] = (await systemOf(gw.adminUrl)).regions.map(({ targets: [target] }) => target);
      return first?.behind?.[0]?.kafkaRates != null && second?.behindError != null;
    });
    const { regions: found } = await systemOf(gw.adminUrl);
    expect(found).toMatchObject([
      {
        targets: [
          {
            kind: 'gateway',
            kafkaRates: null,
            behind: [
              {
                url: east.url,
                name: 'east/bridge',
                kind: 'bridge',
                isAvailable: true,
                behind: null,
                kafkaRates: { requestsPerSecond: 31.5, errorsPerSecond: 0, p50Ms: 2.5, p99Ms: 10 },
              },
            ],
            behindError: null,
            behindAt: expect.any(String),
          },
        ],
      },
      { targets: [{ kind: 'gateway', behind: null, behindError: 'connection refused', behindAt: null }] },
    ]);
    expect(
      (await ask(`${gw.adminUrl}/api/events`, { headers: { accept: 'application/json' } })).body.events,
    ).toContainEqual(expect.objectContaining({ type: 'health', target: east.url, gateway: 'east/inner' }));
  });
});

test('the topology behind a gateway is known after its death, also if no operator had looked, and its events continue after a restart', async () => {
  const [east, west] = [await upstream(), await upstream()];
  east.bridge = 'east/bridge';
  const config = { gateway: { name: 'inner', region: 'east' }, regions: regions({ east: east.url }) };
  const first = await startGateway(config);
  const gw = await gateway({
    regions: [
      { name: 'east', targets: [{ url: first.url, adminUrl: first.adminUrl }] },
      ...regions({ west: west.url }),
    ],
  });
  const eastOf = async () => (await ask(`${gw.adminUrl}/api/topology?behind=false`)).body.regions[0].targets[0];
  await until('the gateway asked on its own', async () => (await eastOf()).behind !== null);
  await first.close();
  const closedAtMs = Date.now();
  await until(
    'its death is known',
    async () => (await systemOf(gw.adminUrl)).regions[0]?.targets[0]?.behindError !== null,
  );
  const dead = await eastOf();
  expect(dead).toMatchObject({ behind: [{ name: 'east/bridge', url: east.url }], behindError: 'connection refused' });
  // The time of the last report, not of the failed requests.
  expect(Date.parse(dead.behindAt)).toBeLessThanOrEqual(closedAtMs);
  const ports = { listen: { port: Number(new URL(first.url).port) } };
  const again = await startGateway({ ...config, ...ports, admin: { port: Number(new URL(first.adminUrl).port) } });
  open.push(again);
  await until('it reports again', async () => (await eastOf()).behindError === null);
  const starts = gw.gateway.events
    .recent()
    .filter(({ type, gateway: by }) => type === 'started' && by === 'east/inner');
  expect(starts).toHaveLength(2);
});

test('changes are relayed to a region’s own gateway, with this gateway’s token', async () => {
  const [east, west] = [await upstream(), await upstream()];
  const inner = await gateway({
    admin: { port: 0, host: '0.0.0.0', token: TEST_TOKEN },
    gateway: { name: 'inner', region: 'east' },
    regions: regions({ east: east.url, west: west.url }),
  });
  const adminUrl = inner.adminUrl.replace('0.0.0.0', '127.0.0.1');
  const gw = await gateway({ regions: [{ name: 'east', targets: [{ url: inner.url, adminUrl }] }] });
  const relayed = `${gw.adminUrl}/api/regions/east/regions/west`;
  const put = { method: 'PUT', body: '{"weight":3}', headers: { 'content-type': 'application/json' } } as const;
  expect(await ask(`${relayed}/weight`, put)).toMatchObject({ status: 200, body: { name: 'west', weight: 3 } });
  expect(await ask(`${relayed}/drain`, { method: 'POST' })).toMatchObject({ status: 200, body: { isDrained: true } });
  expect((await ask(`${relayed}/undrain`, { method: 'POST', token: undefined })).status).toBe(401);
  // Reading here includes reading there.
  expect((await ask(`${gw.adminUrl}/api/regions/east/topology`, { token: undefined })).body.regions[1].weight).toBe(0);
  expect((await ask(`${adminUrl}/api/topology`, { token: undefined })).status).toBe(401);
});

describe('the live stream', () => {
  test('shows a flip within 100 ms, with its event, and continues where a listener left off', async () => {
    const { east, gw } = await twoRegions();
    const view = await watchLive(gw.adminUrl);
    await until('the system arrives at once', () => view.systems.length > 0);
    const meter = new StallMeter();
    open.push(meter);
    await east.kill();
    await until('the flip is shown', () => view.systems.at(-1)?.regions[0]?.state === 'down');
    const flip = view.events.find((event) => event.type === 'health' && event.to === 'unhealthy');
    expect(flip).toMatchObject({ region: 'east' });
    const shownAtMs = Date.parse(view.systems.find(({ regions: [first] }) => first?.state === 'down')?.at ?? '');
    const flippedAtMs = Date.parse(flip?.at ?? '');
    // Without the time in which the machine ran neither the gateway nor this test.
    expect(shownAtMs - flippedAtMs - meter.stalledMs(flippedAtMs, shownAtMs)).toBeLessThan(100);
    view.close();
    const again = await watchLive(gw.adminUrl, { 'last-event-id': String((flip?.id ?? 0) - 1) });
    await until('past events arrive', () => again.events.length > 0);
    expect(again.events[0]?.id).toBe(flip?.id);
    await until('the system arrives each second', () => again.systems.length >= 3);
    again.close();
  });

  test('sends samples when they are taken, and keeps them for later listeners', async () => {
    const { gw } = await twoRegions();
    const view = await watchLive(gw.adminUrl);
    await send(gw, 20);
    // On a busy machine they are spread over several samples.
    const countIn = (curves: readonly (number | null)[][]): number =>
      5 * curves.flat().reduce<number>((sum, perSecond) => sum + (perSecond ?? 0), 0);
    const requestCounts = (): (number | null)[][] =>
      view.samples.map(({ regions: all }) => Object.values(all).map(({ requestsPerSecond }) => requestsPerSecond));
    await until('all requests are in samples', () => countIn(requestCounts()) > 18);
    view.close();
    expect(countIn(requestCounts())).toBeLessThan(22);
    const { body: history } = await ask(`${gw.adminUrl}/api/history`);
    expect(history.stepMs).toBe(5_000);
    const { length } = view.samples;
    expect(history.atSeconds.slice(0, length)).toEqual(view.samples.map(({ atSeconds }) => atSeconds));
    const [east, west] = [history.regions.east, history.regions.west];
    expect(countIn([east.requestsPerSecond, west.requestsPerSecond])).toBeCloseTo(countIn(requestCounts()), 0);
    expect(Math.max(...east.p99Ms)).toBeGreaterThan(0);
  });
});

describe('the configuration', () => {
  test('is shown with defaults and without secrets, also in the changes of a reload', async () => {
    const { gw } = await twoRegions();
    const { body, text } = await ask(`${gw.adminUrl}/api/config`);
    expect(body).toMatchObject({ admin: { token: '********' }, retry: { maxAttempts: 4 } });
    expect(text).not.toContain(TEST_TOKEN);
    const { config } = gw.gateway;
    gw.gateway.reload({ ...config, admin: { ...config.admin, token: 'the-next-one' } });
    expect(gw.gateway.events.recent().findLast(({ type }) => type === 'reload')).toMatchObject({
      changes: ['admin.token: changed'],
    });
    const drain = `${gw.adminUrl}/api/regions/east/drain`;
    expect((await ask(drain, { method: 'POST' })).status).toBe(401);
    expect((await ask(drain, { method: 'POST', token: 'the-next-one' })).status).toBe(200);
  });

  test('can be checked without being applied, with the line of each problem', async () => {
    const { gw } = await twoRegions();
    const check = async (body: string) => (await ask(`${gw.adminUrl}/api/config/check`, { method: 'POST', body })).body;
    expect(await check('regions:\n  - name: a\n    targets:\n      - url: http://127.0.0.1:1\n')).toEqual({
      isValid: true,
      errors: [],
    });
    expect(
      await check('regions:\n  - name: a\n    wieght: 3\n    targets:\n      - url: http://127.0.0.1:1\n'),
    ).toEqual({
      isValid: false,
      errors: [{ line: 3, message: expect.stringContaining('regions[0].wieght: unknown key') }],
    });
    expect(
      (await check('admin:\n  host: 0.0.0.0\nregions:\n  - name: a\n    targets:\n      - url: http://127.0.0.1:1\n'))
        .errors,
    ).toEqual([
      { line: 2, message: expect.stringContaining('set admin.token, admin.tokenFile or admin.tokens') },
      { line: 2, message: expect.stringContaining('set admin.tls, or admin.insecure to true') },
    ]);
    expect((await ask(`${gw.adminUrl}/api/config/check`, { method: 'POST', body: '', token: undefined })).status).toBe(
      401,
    );
  });
});

/** Who changed what, when and from where: over real gateways. */
import { connect } from 'node:net';
import { finished } from 'node:stream/promises';
import type { RecordedEvent } from '@causeway/protocol/admin/events.ts';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { type AskOptions, ask } from '../../../../test/harness/admin.ts';
import { regions, startGateway, type TestGateway } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';
import { answerJson, startUpstream } from '../../../../test/harness/upstream.ts';

const ALICE = 'token-of-alice-000';
const BOB = 'token-of-bob-00000';
const TOKENS = [
  { name: 'alice', role: 'operator', token: ALICE },
  { name: 'bob', role: 'viewer', token: BOB },
];

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function start(options: { now?: () => number } = {}, admin: object = {}): Promise<TestGateway> {
  // What bridges say of a promotion, of a cluster that rejoins and its records, and of the replication to it.
  const answer = answerJson({
    promotion: { number: 1, cluster: 'south' },
    kind: 'orderly',
    report: null,
    records: [],
    next: null,
    source: 'south',
    target: 'north',
    positions: [],
  });
  const [east, west] = [await startUpstream(answer), await startUpstream(answer)];
  const south = await startUpstream(answer);
  const members = [
    { name: 'north', regions: ['east', 'west'] },
    { name: 'south', regions: ['south'] },
  ];
  const gw = await startGateway(
    {
      admin: { port: 0, tokens: TOKENS, ...admin },
      regions: regions({ east: east.url, west: west.url, south: south.url }),
      clusters: { active: 'north', members },
    },
    options,
  );
  open.push({ close: () => east.kill() }, { close: () => west.kill() }, { close: () => south.kill() }, gw);
  return gw;
}

function eventsOf<Type extends RecordedEvent['type']>(gw: TestGateway, type: Type) {
  return gw.gateway.events.recent().filter((event) => event.type === type) as Extract<RecordedEvent, { type: Type }>[];
}

const put = (body: string): AskOptions => ({ method: 'PUT', body, headers: { 'content-type': 'application/json' } });

/** What each changing operation of the API writes, in this order. An operation that is missing here fails the test. */
const CHANGES: Record<string, { path: string; options: AskOptions; what: string | undefined }> = {
  drain: { path: '/api/regions/east/drain', options: { method: 'POST' }, what: 'drain of east: off → on' },
  undrain: { path: '/api/regions/east/undrain', options: { method: 'POST' }, what: 'drain of east: on → off' },
  setWeight: { path: '/api/regions/east/weight', options: put('{"weight":7}'), what: 'weight of east: 100 → 7' },
  promote: {
    path: '/api/clusters/south/promote',
    options: { method: 'POST' },
    what: 'active cluster: 0;north → 1;south (orderly)',
  },
  readTail: {
    path: '/api/clusters/north/tail',
    options: { ...put('{"topic":"t","partition":0,"from":3,"to":5}'), method: 'POST' },
    what: 'records 3 to 5 of t-0 were read from cluster north',
  },
  rejoin: { path: '/api/clusters/north/rejoin', options: { method: 'POST' }, what: 'cluster north may stand by again' },
  prepare: {
    path: '/api/clusters/north/prepare',
    options: { method: 'POST' },
    what: 'replication to cluster north prepared',
  },
  endReplication: {
    path: '/api/clusters/south/replication-ended',
    options: { method: 'POST' },
    what: 'the replication to cluster south has ended',
  },
  // Changes nothing.
  checkConfig: { path: '/api/config/check', options: { method: 'POST', body: 'regions: 5' }, what: undefined },
};

test('every operation that changes something writes one line: who, what, from where, and the result', async () => {
  const gw = await start();
  const { paths } = (await ask(`${gw.adminUrl}/api/openapi.json`, { token: undefined })).body as {
    paths: Record<string, Record<string, { operationId: string; security: object[] }>>;
  };
  const changing = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, security }]) =>
      method === 'get' ? [] : [{ path, operationId, security }],
    ),
  );
  expect(changing.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(CHANGES).sort());
  for (const [operationId, { path, options, what }] of Object.entries(CHANGES)) {
    expect(changing.find((one) => one.operationId === operationId)?.security).toEqual([{ token: ['operator'] }]);
    const before = eventsOf(gw, 'audit').length;
    expect((await ask(`${gw.adminUrl}${path}`, { ...options, token: ALICE })).status, operationId).toBe(200);
    const expected = {
      who: 'alice',
      what,
      request: `${options.method} ${path}`,
      address: '127.0.0.1',
      askedBy: null,
      status: 200,
      reason: null,
      at: expect.any(String),
    };
    expect(eventsOf(gw, 'audit').slice(before)).toMatchObject(what === undefined ? [] : [expected]);
  }
});

test('a change that fails is in the audit, with the reason', async () => {
  const gw = await start();
  const attempts: [string, AskOptions, object][] = [
    ['/api/regions/north/drain', { method: 'POST' }, { what: 'drain north', status: 404 }],
    ['/api/regions/east/weight', put('{"weight":-1}'), { what: 'setWeight east', status: 400 }],
    ['/api/regions/east/weight', put('{'), { what: 'setWeight east', status: 400 }],
  ];
  for (const [path, options, expected] of attempts) {
    await ask(`${gw.adminUrl}${path}`, { ...options, token: ALICE });
    const event = eventsOf(gw, 'audit').at(-1);
    expect(event).toMatchObject({ who: 'alice', reason: expect.stringMatching(/./), ...expected });
  }
  expect(eventsOf(gw, 'audit')).toHaveLength(attempts.length);
  const { text } = await ask(`${gw.adminUrl}/metrics`, { token: undefined });
  expect(text).toContain(`causeway_admin_changes_total{result="failed"} ${attempts.length}`);
});

test('a viewer reads, and gets 403 with its name for every change', async () => {
  const gw = await start();
  expect((await ask(`${gw.adminUrl}/api/access`, { token: BOB })).body).toEqual({
    name: 'bob',
    role: 'viewer',
    canChange: false,
    reason: 'bob is a viewer, who may read and make no change: changes need the token of an operator.',
  });
  expect((await ask(`${gw.adminUrl}/api/topology`, { token: BOB })).status).toBe(200);
  for (const { path, options } of Object.values(CHANGES)) {
    expect(await ask(`${gw.adminUrl}${path}`, { ...options, token: BOB }), path).toMatchObject({
      status: 403,
      body: { message: 'bob is a viewer, who may read and make no change: changes need the token of an operator.' },
    });
  }
  expect(eventsOf(gw, 'drain')).toEqual([]);
  expect(eventsOf(gw, 'accessRefused')).toMatchObject([
    { who: 'bob', request: 'POST /api/regions/east/drain', address: '127.0.0.1', requestCount: 1, status: 403 },
  ]);
});

test('the access of each sender: an operator, no token on loopback, and an unknown token', async () => {
  const gw = await start();
  const access = async (token: string | undefined) => (await ask(`${gw.adminUrl}/api/access`, { token })).body;
  expect(await access(ALICE)).toMatchObject({ name: 'alice', role: 'operator', canChange: true });
  expect(await access(undefined)).toMatchObject({ name: null, role: null, canChange: false });
  expect(await access('unknown')).toEqual({ error_code: 401, message: 'The token is wrong.' });
});

test('guesses are counted, and reported once a minute for each kind, with their number', async () => {
  let nowMs = 1_000_000;
  const gw = await start({ now: () => nowMs });
  const guess = (token: string | undefined, method: 'GET' | 'POST' = 'POST') =>
    ask(`${gw.adminUrl}/api/regions/east/drain`, { method, token });
  for (let index = 0; index < 5; index += 1) expect((await guess(`guess-${index}`)).status).toBe(401);
  expect((await guess(undefined)).status).toBe(401);
  const reported = () => eventsOf(gw, 'accessRefused').map(({ reason, requestCount }) => [reason, requestCount]);
  const none = 'This needs the header "Authorization: Bearer TOKEN".';
  expect(reported()).toEqual([
    ['The token is wrong.', 1],
    [none, 1],
  ]);
  nowMs += 60_000;
  await guess('guess', 'GET');
  expect(reported().slice(2)).toEqual([['The token is wrong.', 5]]);
  const { text } = await ask(`${gw.adminUrl}/metrics`, { token: undefined });
  expect(text).toContain('causeway_admin_refused_requests_total{reason="unknown_token"} 6');
  expect(text).toContain('causeway_admin_refused_requests_total{reason="no_token"} 1');
  expect(JSON.stringify(gw.gateway.events.recent())).not.toContain('guess-');
});

test('a relayed change names its operator in the audit of the region, who cannot hide behind another name', async () => {
  const inner = await start({}, { tokens: [{ name: 'gateways', role: 'operator', token: ALICE }] });
  const gw = await startGateway({
    gateway: { name: 'front' },
    // The first operator's token is the one that the regions' gateways know.
    admin: {
      port: 0,
      token: ALICE,
      tokens: [
        { name: 'carol', role: 'operator', token: 'token-of-carol-000' },
        { name: 'bob', role: 'viewer', token: BOB },
      ],
    },
    regions: [{ name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] }],
  });
  open.push(gw);
  const forged = {
    'causeway-asked-by': 'eve at 1.2.3.4\u00ff',
    // Test gateways trust loopback as proxies, also the one in front.
    'x-forwarded-for': '192.0.2.1',
    origin: new URL(gw.adminUrl).origin,
  };
  const relayed = (token: string, path = 'weight', options: AskOptions = put('{"weight":3}')) =>
    ask(`${gw.adminUrl}/api/regions/east/regions/west/${path}`, {
      ...options,
      headers: { ...options.headers, ...forged },
      token,
    });
  expect((await relayed(BOB)).status).toBe(403);
  expect((await relayed('token-of-carol-000')).status).toBe(200);
  expect(eventsOf(inner, 'audit')).toMatchObject([
    {
      who: 'gateways',
      address: '127.0.0.1',
      what: 'weight of west: 100 → 3',
      askedBy: 'carol at 192.0.2.1 (for eve at 1.2.3.4?) through front',
      status: 200,
    },
  ]);
  const relayedPath = '/api/regions/east/regions/west/weight';
  expect(eventsOf(gw, 'audit').filter(({ gateway }) => gateway === undefined)).toMatchObject([
    { who: 'carol', what: 'relayed to the gateway of east', request: `PUT ${relayedPath}`, status: 200 },
  ]);
});

test('a relayed change is in the audit also if its operator does not wait for the response', async () => {
  const east = await startUpstream();
  open.push({ close: () => east.kill() });
  // A region that is slow to respond.
  const region = await startUpstream(() => {});
  open.push({ close: () => region.kill() });
  const gw = await startGateway({
    admin: { port: 0, tokens: TOKENS },
    regions: [{ name: 'east', targets: [{ url: east.url, adminUrl: region.url }] }],
  });
  open.push(gw);
  const path = '/api/regions/east/regions/west/drain';
  const { hostname, port } = new URL(gw.adminUrl);
  const client = connect(Number(port), hostname);
  client.write(
    `POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${ALICE}\r\ncontent-length: 0\r\n\r\n`,
  );
  await until('the region has it', () => region.requests.some(({ method }) => method === 'POST'));
  client.resetAndDestroy();
  await until('the line is there', () => eventsOf(gw, 'audit').length > 0);
  expect(eventsOf(gw, 'audit')).toMatchObject([
    { who: 'alice', what: 'relayed to the gateway of east', request: `POST ${path}`, status: 499 },
  ]);
  expect(eventsOf(gw, 'audit')[0]?.reason).toContain('may have been made');
});

test('the events of a region’s audit reach the gateway in front of it', async () => {
  const inner = await start();
  const gw = await startGateway({
    admin: { port: 0, token: ALICE },
    gateway: { name: 'front' },
    regions: [{ name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] }],
  });
  open.push(gw);
  await ask(`${gw.adminUrl}/api/regions/east/regions/west/drain`, { method: 'POST', token: ALICE });
  await until('the region reported it', async () => {
    await ask(`${gw.adminUrl}/api/topology`, { token: undefined });
    return eventsOf(gw, 'audit').some(({ gateway }) => gateway !== undefined);
  });
  expect(eventsOf(gw, 'audit').find(({ gateway }) => gateway !== undefined)).toMatchObject({
    who: 'alice',
    askedBy: 'operator at 127.0.0.1 through front',
    what: 'drain of west: off → on',
  });
});

test('behind a trusted proxy the audit has the address of its client, and of no other sender', async () => {
  const headers = { 'x-forwarded-for': '192.0.2.7, 198.51.100.9' };
  const drain = async (gw: TestGateway) => {
    await ask(`${gw.adminUrl}/api/regions/east/drain`, { method: 'POST', token: ALICE, headers });
    return eventsOf(gw, 'audit').at(-1)?.address;
  };
  const gw = await start();
  const { config } = gw.gateway;
  for (const [proxies, address] of [
    [[], '127.0.0.1'],
    [['127.0.0.0/8'], '198.51.100.9'],
    [['127.0.0.0/8', '198.51.100.0/24'], '192.0.2.7'],
  ] as const) {
    gw.gateway.reload({ ...config, trust: { ...config.trust, proxies: [...proxies], peers: [] } });
    expect(await drain(gw)).toBe(address);
  }
});

test('a token that a reload removes ends its streams, also those of a region, and is refused', async () => {
  const inner = await start();
  const gw = await startGateway({
    admin: { port: 0, host: '0.0.0.0', insecure: true, tokens: TOKENS },
    regions: [{ name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] }],
  });
  open.push(gw);
  const url = gw.adminUrl.replace('0.0.0.0', '127.0.0.1');
  const follow = (path: string) => request(`${url}${path}`, { headers: { authorization: `Bearer ${BOB}` } });
  const paths = ['/api/live', '/api/events', '/api/regions/east/live', '/api/regions/east/events'];
  const streams = await Promise.all(paths.map(follow));
  const texts = streams.map(async ({ body }) => {
    let text = '';
    body.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    // One of a region breaks off.
    await finished(body).catch(() => {});
    return text;
  });
  const { config } = gw.gateway;
  const tokens = config.admin.tokens.filter(({ name }) => name !== 'bob');
  gw.gateway.reload({ ...config, admin: { ...config.admin, tokens } });
  for (const text of await Promise.all(texts)) expect(text).toMatch(/^: connected/);
  expect((await follow('/api/live')).statusCode).toBe(401);
  expect((await ask(`${url}/api/access`, { token: ALICE })).status).toBe(200);
});

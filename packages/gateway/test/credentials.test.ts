/** Clients with passwords, API keys and certificates, at gateways over real sockets. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyEntry, makeKey, passwordEntry } from '@causeway/gateway/authentication/new-entry.ts';
import { Agent, type Dispatcher, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBalancer } from '../../../test/harness/balancer.ts';
import { type CertifiedKey, TestAuthority } from '../../../test/harness/certificates.ts';
import { startGateway, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import { TEST_SECRET } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../test/harness/upstream.ts';
import { rawExchange } from './fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-credentials-'));
const file = join(directory, 'credentials.yaml');
const PASSWORD = 'correct horse: ünïcode';
const CHANGED_PASSWORD = 'battery staple';
const KEY = makeKey();
const NEXT_KEY = makeKey();
const GATEWAY_NAME = 'tier1.example';
const CHALLENGES = [
  'Basic realm="causeway", charset="UTF-8"',
  'ApiKey realm="causeway", header="x-api-key"',
  'ClientCertificate realm="causeway"',
];

let authority: TestAuthority;
let bridge: Upstream;
let regional: TestGateway;
let tier1: TestGateway;
/** Entries of the file, as text. */
let jurgen: string;

beforeAll(async () => {
  authority = await TestAuthority.create(directory);
  const server = await authority.certify('server', { ip: ['127.0.0.1'] });
  jurgen = await passwordEntry({ name: 'jürgen', roles: ['writer'] }, PASSWORD);
  write(jurgen, keyEntry({ name: 'device', roles: [] }, KEY));
  const auth = { basic: { file }, apiKeys: { file }, clientCertificates: {} };
  bridge = await startUpstream();
  regional = await startGateway({
    gateway: { region: 'east', name: 'regional' },
    regions: [{ name: 'east', targets: [{ url: bridge.url }] }],
    auth,
  });
  const tls = {
    certFile: server.certFile,
    keyFile: server.keyFile,
    clientCaFile: authority.certFile,
    clientCertificates: 'request',
  };
  tier1 = await startGateway({
    regions: [{ name: 'east', targets: [{ url: regional.url }] }],
    listeners: [
      { name: 'plain', port: 0 },
      { name: 'tls', port: 0, tls },
      { name: 'behind-proxy', port: 0, tls, proxyProtocol: true },
    ],
    trust: { proxies: ['127.0.0.1'], peers: [GATEWAY_NAME], secret: TEST_SECRET },
    auth,
  });
});
afterAll(async () => {
  await tier1.close();
  await regional.close();
  await bridge.kill();
  rmSync(directory, { recursive: true });
});

let writeCount = 0;

/** Replaces the file as a whole, as editors and Kubernetes do; always by another content. */
function write(...entries: string[]): void {
  const next = join(directory, 'next.yaml');
  writeCount += 1;
  writeFileSync(next, `${entries.join('')}# ${writeCount}\n`, { mode: 0o600 });
  renameSync(next, file);
}

/** The latest event about the file. */
function lastReport() {
  return tier1.gateway.events.recent().findLast((event) => event.type === 'credentials');
}

/** Writes the file, and waits until both gateways have read it. */
async function rewrite(...entries: string[]): Promise<void> {
  const seen = [tier1, regional].map(({ gateway }) => gateway.events.recent().at(-1)?.id ?? 0);
  write(...entries);
  await until('the file is read', () =>
    [tier1, regional].every(({ gateway }, index) =>
      gateway.events
        .recent()
        .some(({ id, type, gateway: of }) => type === 'credentials' && of === undefined && id > (seen[index] ?? 0)),
    ),
  );
}

function basic(name: string, password: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` };
}

interface Answer {
  status: number;
  challenge: unknown;
  body: unknown;
  /** Whom the bridge served. */
  principal: unknown;
}

async function ask(headers: Record<string, string>, { url = tier1.url, dispatcher }: Via = {}): Promise<Answer> {
  const before = bridge.requests.length;
  const response = await request(
    `${url}/topics/orders`,
    dispatcher === undefined ? { headers } : { headers, dispatcher },
  );
  const text = await response.body.text();
  const served = bridge.requests.slice(before).at(-1);
  return {
    status: response.statusCode,
    challenge: response.headers['www-authenticate'],
    body: response.statusCode === 200 ? undefined : JSON.parse(text),
    principal: served?.headers['causeway-principal'],
  };
}

interface Via {
  url?: string | undefined;
  dispatcher?: Dispatcher;
}

describe('a password', () => {
  test.each(['tier1', 'regional'])('is admitted by %s, and no target gets it', async (hop) => {
    const url = hop === 'tier1' ? tier1.url : regional.url;
    for (const name of ['jürgen', 'jürgen'.normalize('NFD')]) {
      expect(await ask(basic(name, PASSWORD), { url })).toMatchObject({ status: 200, principal: 'j%C3%BCrgen' });
      expect(bridge.requests.at(-1)?.headers).not.toHaveProperty('authorization');
    }
  });

  test.each([
    ['a wrong password', () => basic('jürgen', 'wrong password'), 'The name or the password is wrong.'],
    ['an unknown name', () => basic('alice', PASSWORD), 'The name or the password is wrong.'],
    ['a name that has a key only', () => basic('device', KEY), 'The name or the password is wrong.'],
    ['an empty password', () => basic('jürgen', ''), 'The name or the password is wrong.'],
    ['an empty name', () => basic('', PASSWORD), 'The credentials of HTTP Basic are malformed.'],
    ['malformed base64', () => ({ authorization: 'Basic !!!!' }), 'The credentials of HTTP Basic are malformed.'],
    ['no credentials', () => ({ authorization: 'Basic' }), 'The credentials of HTTP Basic are malformed.'],
    ['no colon', () => ({ authorization: 'Basic YWxpY2U=' }), 'The credentials of HTTP Basic are malformed.'],
    ['a NUL', () => basic('jürgen', `${PASSWORD}\0`), 'The credentials of HTTP Basic are malformed.'],
    ['10 KB', () => basic('jürgen', 'x'.repeat(10_000)), 'The credentials of HTTP Basic are malformed.'],
  ])('%s is 401, with the challenges of all methods', async (_, headers, message) => {
    expect(await ask(headers())).toEqual({
      status: 401,
      challenge: CHALLENGES,
      body: { error_code: 401, message },
      principal: undefined,
    });
  });

  test('is not accepted beside another header of its kind', async () => {
    const { authorization } = basic('jürgen', PASSWORD);
    const head = `GET /topics/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
    const answer = await rawExchange(
      tier1.url,
      `${head}Authorization: ${authorization}\r\nAuthorization: ${authorization}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe('an API key', () => {
  test('is admitted, and no target gets it', async () => {
    for (const { url } of [tier1, regional]) {
      expect(await ask({ 'X-API-Key': KEY }, { url })).toMatchObject({ status: 200, principal: 'device' });
      expect(bridge.requests.at(-1)?.headers).not.toHaveProperty('x-api-key');
    }
  });

  test('that is unknown is 401, with its challenge first', async () => {
    const [ofBasic, ofKeys, ofCertificates] = CHALLENGES;
    for (const key of ['', makeKey(), `${KEY}0`, KEY.toLowerCase(), 'x'.repeat(10_000)]) {
      expect(await ask({ 'x-api-key': key })).toMatchObject({
        status: 401,
        challenge: [ofKeys, ofBasic, ofCertificates],
        body: { error_code: 401, message: 'The API key is unknown.' },
      });
    }
    const head = `GET /topics/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
    const answer = await rawExchange(tier1.url, `${head}X-Api-Key: ${KEY}\r\nx-api-key: ${KEY}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe('a client certificate', () => {
  const [secureIndex, proxiedIndex] = [1, 2];

  function agentFor(pair: CertifiedKey | undefined): Agent {
    const agent = new Agent({ connect: { ca: authority.cert, ...(pair ? { cert: pair.cert, key: pair.key } : {}) } });
    agents.push(agent);
    return agent;
  }
  const agents: Agent[] = [];
  afterAll(async () => {
    for (const agent of agents) await agent.close();
  });

  test.each([
    ['a URI', { uri: ['spiffe://example/device/7'], dns: ['a.example'] }, 'spiffe://example/device/7'],
    ['a DNS name', { dns: ['Device-7.Example'] }, 'device-7.example'],
    ['an e-mail address', { email: ['alice@example.org'] }, 'alice@example.org'],
    ['a common name', { subject: [{ CN: ['Zoë, Müller'] }] }, 'Zo%C3%AB%2C%20M%C3%BCller'],
  ])(
    'names its principal by %s, over HTTP/1.1, HTTP/2 and behind a load balancer',
    async (kind, content, principal) => {
      const pair = await authority.certify(kind.replaceAll(' ', '-'), content);
      const url = tier1.urls[secureIndex];
      expect(await ask({}, { url, dispatcher: agentFor(pair) })).toMatchObject({ status: 200, principal });

      const before = bridge.requests.length;
      const session = connectHttp2(url ?? '', { ca: authority.cert, cert: pair.cert, key: pair.key });
      expect((await fetchHttp2(session, { ':path': '/topics/orders' })).status).toBe(200);
      session.close();
      expect(bridge.requests.slice(before).map(({ headers }) => headers['causeway-principal'])).toEqual([principal]);

      const port = Number(new URL(tier1.urls[proxiedIndex] ?? '').port);
      const balancer = await startBalancer(port, { header: 'PROXY TCP4 203.0.113.9 127.0.0.1 5 6\r\n' });
      const proxied = { url: `https://127.0.0.1:${balancer.port}`, dispatcher: agentFor(pair) };
      expect(await ask({}, proxied)).toMatchObject({ status: 200, principal });
      balancer.close();
    },
  );

  test('of a gateway, of another authority, or none is no principal', async () => {
    const url = tier1.urls[secureIndex];
    const strangers = await TestAuthority.create(directory, 'strangers');
    for (const pair of [
      await authority.certify('gateway', { dns: [GATEWAY_NAME] }),
      await strangers.certify('stranger', { dns: ['stranger.example'] }),
      await authority.certify('reserved', { subject: [{ CN: ['anonymous'] }] }),
      undefined,
    ]) {
      expect(await ask({}, { url, dispatcher: agentFor(pair) })).toMatchObject({ status: 401 });
    }
  });

  test('yields to credentials in headers, right or wrong: the first method that applies decides', async () => {
    const url = tier1.urls[secureIndex];
    const dispatcher = agentFor(await authority.certify('several', { dns: ['several.example'] }));
    const right = { ...basic('jürgen', PASSWORD) };
    const wrong = { ...basic('jürgen', 'wrong password') };
    for (const [headers, status, principal] of [
      [{}, 200, 'several.example'],
      [{ 'x-api-key': KEY }, 200, 'device'],
      [{ 'x-api-key': 'wrong' }, 401, undefined],
      [{ ...right, 'x-api-key': 'wrong' }, 200, 'j%C3%BCrgen'],
      [{ ...wrong, 'x-api-key': KEY }, 401, undefined],
    ] as const) {
      expect(await ask(headers, { url, dispatcher })).toMatchObject({ status, principal });
    }
  });
});

test('passwords and keys are replaced under load without a failed request', async () => {
  const statuses = new Map<string, number>();
  let pair = basic('jürgen', PASSWORD);
  let key = KEY;
  let isOver = false;
  let askedCount = 0;
  const client = async (headers: () => Record<string, string>): Promise<void> => {
    while (!isOver) {
      const { status, principal } = await ask(headers());
      const result = `${status} ${principal === undefined ? 'none' : 'served'}`;
      statuses.set(result, (statuses.get(result) ?? 0) + 1);
      askedCount += 1;
    }
  };
  const clients = [
    ...Array.from({ length: 4 }, () => client(() => pair)),
    ...Array.from({ length: 4 }, () => client(() => ({ 'x-api-key': key }))),
  ];
  const moreRequests = async (): Promise<void> => {
    const enough = askedCount + 40;
    await until('requests were served', () => askedCount >= enough);
  };
  const [, hash] = /password: '(.*)'/.exec(jurgen) ?? [];
  const [, changed] =
    /password: '(.*)'/.exec(await passwordEntry({ name: 'jürgen', roles: [] }, CHANGED_PASSWORD)) ?? [];
  const changing = `- { name: jürgen, passwords: ['${hash}', '${changed}'] }\n`;
  const device = (...keys: string[]): string =>
    `- name: device\n  keys:\n${keys.map((one) => `    - ${/key: (\S+)/.exec(keyEntry({ name: 'x', roles: [] }, one))?.[1]}\n`).join('')}`;

  await rewrite(jurgen, device(KEY), keyEntry({ name: 'another', roles: [] }, makeKey()));
  await moreRequests();
  await rewrite(changing, device(KEY, NEXT_KEY));
  await moreRequests();
  pair = basic('jürgen', CHANGED_PASSWORD);
  key = NEXT_KEY;
  await moreRequests();
  await rewrite(`- { name: jürgen, password: '${changed}' }\n`, device(NEXT_KEY));
  await moreRequests();
  isOver = true;
  await Promise.all(clients);
  expect([...statuses.keys()]).toEqual(['200 served']);
  expect((await ask(basic('jürgen', PASSWORD))).status).toBe(401);
  expect((await ask({ 'x-api-key': KEY })).status).toBe(401);
});

test('a file that cannot be used changes nothing, and is reported without its content', async () => {
  await rewrite(jurgen, keyEntry({ name: 'device', roles: [] }, KEY));
  await rewrite('- name: jürgen\n  password: hunter2hunter2\n');
  expect(lastReport()).toMatchObject({ file, problem: expect.stringContaining(`${file}:2: [0].password: `) });
  expect((await ask(basic('jürgen', PASSWORD))).status).toBe(200);
  expect((await ask({ 'x-api-key': KEY })).status).toBe(200);
  await rewrite(jurgen, keyEntry({ name: 'device', roles: [] }, KEY));
  expect(lastReport()).toMatchObject({ problem: null, warning: null, principalCount: 2 });
});

test('a reload of the configuration changes files, header and realm, and what it leaves alone stays', async () => {
  const other = join(directory, 'other.yaml');
  const otherKey = makeKey();
  writeFileSync(other, keyEntry({ name: 'device', roles: [] }, otherKey), { mode: 0o600 });
  await rewrite(jurgen, keyEntry({ name: 'device', roles: [] }, KEY));
  const overrides = (auth: object) => ({ regions: [{ name: 'east', targets: [{ url: bridge.url }] }], auth });
  const gw = await startGateway(overrides({ basic: { file }, apiKeys: { file } }));
  try {
    const statuses = async (headers: readonly Record<string, string>[]): Promise<number[]> => {
      const all: number[] = [];
      for (const one of headers) all.push((await ask(one, gw)).status);
      return all;
    };
    const requests = [
      basic('jürgen', PASSWORD),
      { 'x-api-key': KEY },
      { 'x-api-key': otherKey },
      { 'x-key': otherKey },
    ];
    expect(await statuses(requests)).toEqual([200, 200, 401, 401]);
    const checkCount = async (): Promise<string | undefined> => {
      const { body } = await request(`${gw.adminUrl}/metrics`);
      return /^causeway_password_checks_total\{result="right"\} (.*)$/m.exec(await body.text())?.[1];
    };
    gw.gateway.reload(testConfig(overrides({ basic: { file }, apiKeys: { file: other, header: 'X-Key' } })));
    expect(await statuses(requests)).toEqual([200, 401, 401, 200]);
    // The password was remembered.
    expect(await checkCount()).toBe('1');
    gw.gateway.reload(testConfig(overrides({ basic: { file, realm: 'another' } })));
    expect(await statuses(requests)).toEqual([200, 401, 401, 401]);
    expect((await ask({}, gw)).challenge).toBe('Basic realm="another", charset="UTF-8"');
    gw.gateway.reload(testConfig(overrides({ basic: { file: other } })));
    expect(await statuses(requests)).toEqual([401, 401, 401, 401]);
  } finally {
    await gw.close();
  }
});

test('no secret is in an event, in the metrics or in the configuration that the admin API shows', async () => {
  const texts = [JSON.stringify([tier1, regional].map(({ gateway }) => gateway.events.recent()))];
  for (const path of ['/api/config', '/api/events?limit=500', '/api/topology', '/metrics']) {
    const { body } = await request(`${tier1.adminUrl}${path}`, { headers: { accept: 'application/json' } });
    texts.push(await body.text());
  }
  expect(texts.filter((text) => text.includes(file))).not.toEqual([]);
  const secrets = [PASSWORD, CHANGED_PASSWORD, KEY, NEXT_KEY, 'hunter2', '$argon2id$v=19$m=', jurgen.slice(-40, -20)];
  const pairs = [PASSWORD, CHANGED_PASSWORD].map((password) => basic('jürgen', password).authorization.slice(6));
  for (const secret of [...secrets, ...pairs]) {
    for (const text of texts) expect(text.includes(secret), secret).toBe(false);
  }
});

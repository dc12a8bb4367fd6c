/** Clients with JSON Web Tokens, at gateways over real sockets; the keys come from a file. */
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import { Client, request } from 'undici';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { regions, startGateway, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { FORGED, PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream, type Upstream } from '../../../test/harness/upstream.ts';
import { rawExchange } from './fixture.ts';

const ISSUER = 'https://id.example/';
const AUDIENCE = 'causeway';
const NOW_SECONDS = 1_800_000_000;
const HOUR_SECONDS = 3_600;

const directory = mkdtempSync(join(tmpdir(), 'causeway-jwt-'));
const jwksFile = join(directory, 'jwks.json');
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW_SECONDS + HOUR_SECONDS };
const auth = { jwt: { issuers: [{ issuer: ISSUER, audience: [AUDIENCE], jwksFile }] } };

function sign(payload: JWTPayload, header: object = {}, key: KeyObject = privateKey): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'one', ...header }).sign(key);
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

let bridge: Upstream;
let regional: TestGateway;
let tier1: TestGateway;
let nowMs = NOW_SECONDS * 1_000;

beforeAll(async () => {
  writeFileSync(
    jwksFile,
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig' }] }),
  );
  const options = { wallClock: () => nowMs };
  bridge = await startUpstream();
  const east = { name: 'east', targets: [{ url: bridge.url }] };
  regional = await startGateway({ gateway: { region: 'east', name: 'regional' }, regions: [east], auth }, options);
  // The table has more failures than an address may have.
  const quotas = { failedAuthentications: { perMinute: 100_000, burst: 100_000 } };
  const tier1Regions = [{ name: 'east', targets: [{ url: regional.url }] }];
  tier1 = await startGateway({ regions: tier1Regions, request: { maxHeaderBytes: 65_536 }, quotas, auth }, options);
});
afterAll(async () => {
  await tier1.close();
  await regional.close();
  await bridge.kill();
  rmSync(directory, { recursive: true });
});

async function ask(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; challenge: unknown; body: unknown }> {
  const response = await request(`${url}/topics/orders`, { headers });
  const text = await response.body.text();
  return {
    status: response.statusCode,
    challenge: response.headers['www-authenticate'],
    body: response.statusCode === 200 ? undefined : JSON.parse(text),
  };
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

describe('a token of the issuer', () => {
  test.each(['tier1', 'regional'])(
    'is admitted by %s, and the bridge gets the principal in place of it',
    async (hop) => {
      const { url } = hop === 'tier1' ? tier1 : regional;
      for (const name of ['alice', 'Zoë Müller']) {
        expect((await ask(url, bearer(await sign({ ...claims, sub: name })))).status).toBe(200);
        const { headers } = bridge.requests.at(-1) ?? {};
        expect(headers).toMatchObject({ 'causeway-principal': name === 'alice' ? 'alice' : 'Zo%C3%AB%20M%C3%BCller' });
        expect(headers).not.toHaveProperty('authorization');
      }
    },
  );

  test('names the principal alone, whatever the client claims to be', async () => {
    const forged = { ...FORGED, 'causeway-principal': 'root', 'causeway-topics': 'allow=*;deny=' };
    expect((await ask(tier1.url, { ...forged, ...bearer(await sign(claims)) })).status).toBe(200);
    const { headers } = bridge.requests.at(-1) ?? {};
    expect(headers).toMatchObject({ 'causeway-principal': 'alice' });
    expect(headers).not.toHaveProperty('causeway-topics');
    expect((await ask(tier1.url, forged)).status).toBe(401);
  });

  test('is valid until it expires, also once it was verified, within the tolerance of clocks', async () => {
    const token = await sign({ ...claims, exp: NOW_SECONDS + 60 });
    const statuses: number[] = [];
    for (const seconds of [0, 89, 90]) {
      nowMs = (NOW_SECONDS + seconds) * 1_000;
      statuses.push((await ask(tier1.url, bearer(token))).status);
    }
    nowMs = NOW_SECONDS * 1_000;
    expect(statuses).toEqual([200, 200, 401]);
  });
});

test('a regional gateway believes the principal that a gateway sends, and no other one', async () => {
  const sent = { 'causeway-gateway': 'tier1', 'causeway-principal': 'alice' };
  expect((await ask(regional.url, { ...sent, ...PROOF })).status).toBe(200);
  expect(bridge.requests.at(-1)?.headers).toMatchObject({ 'causeway-principal': 'alice' });
  expect((await ask(regional.url, sent)).status).toBe(401);
  // A gateway of a system that does not authenticate passes on what its clients send.
  expect((await ask(regional.url, { 'causeway-gateway': 'tier1', ...PROOF })).status).toBe(401);
});

test('health, readiness and preflights need no credentials', async () => {
  // The bridge responds to it; another OPTIONS is a request like any other.
  const preflight = { origin: 'https://page.example', 'access-control-request-method': 'POST' };
  const options = async (headers: Record<string, string>): Promise<number> =>
    (await request(`${tier1.url}/topics/orders`, { method: 'OPTIONS', headers })).statusCode;
  expect([await options(preflight), await options({ origin: 'https://page.example' })]).toEqual([200, 401]);
  const head = `OPTIONS /topics/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n`;
  expect(await rawExchange(tier1.url, `${head}Content-Length: 9\r\n\r\n`)).toMatch(/^HTTP\/1\.1 401 /);
  for (const path of ['/healthy', '/ready']) {
    expect((await request(`${tier1.url}${path}`)).statusCode).toBe(200);
  }
});

test('a preflight is at the expense of its address', async () => {
  const quotas = { default: { requestsPerSecond: 1, requestBurst: 1 } };
  let isStopped = false;
  const stoppedMs = performance.now();
  const now = (): number => (isStopped ? stoppedMs : performance.now());
  const limited = await startGateway({ regions: regions({ east: bridge.url }), auth, quotas }, { now });
  isStopped = true;
  onTestFinished(limited.close);
  const headers = { origin: 'https://page.example', 'access-control-request-method': 'POST' };
  const options = async (): Promise<number> =>
    (await request(`${limited.url}/topics/orders`, { method: 'OPTIONS', headers })).statusCode;
  expect([await options(), await options()]).toEqual([200, 429]);
});

test('a refused body is not read, and the connection serves the next request', async () => {
  const before = bridge.requests.length;
  const client = new Client(tier1.url);
  onTestFinished(() => client.close());
  const good = bearer(await sign(claims));
  for (const headers of [bearer('x'), {}, good]) {
    const { statusCode, body } = await client.request({
      path: '/topics/orders',
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: Buffer.alloc(2_000_000, ' '),
    });
    await body.dump();
    expect(statusCode).toBe(headers === good ? 200 : 401);
  }
  expect(bridge.requests).toHaveLength(before + 1);
  // Without 100 Continue.
  const head =
    'POST /topics/orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\nConnection: close\r\n\r\n';
  expect(await rawExchange(tier1.url, head)).toMatch(/^HTTP\/1\.1 401 /);
});

test('without credentials the challenge has no error', async () => {
  expect(await ask(tier1.url, {})).toEqual({
    status: 401,
    challenge: 'Bearer realm="causeway"',
    body: { error_code: 401, message: 'The request has no credentials.' },
  });
});

type BadToken = readonly [name: string, token: () => Promise<string> | string, message: string];

const BAD: readonly BadToken[] = [
  ['no JWT', () => 'abc', 'The token is not a signed JWT.'],
  ['an empty token', () => '', 'The token is not a signed JWT.'],
  ['two tokens', async () => `${await sign(claims)} ${await sign(claims)}`, 'The token is not a signed JWT.'],
  ['a header that is no object', async () => `${encoded([])}.${encoded(claims)}.AA`, 'The token is not a signed JWT.'],
  [
    'claims that are no object',
    () => `${encoded({ alg: 'RS256' })}.${encoded('x')}.AA`,
    'The token is not a signed JWT.',
  ],
  ['an encrypted token', () => 'a.b.c.d.e', 'The token is not a signed JWT.'],
  ['a huge token', () => sign({ ...claims, x: 'x'.repeat(16_384) }), 'The token is longer than 16384 characters.'],
  ['alg none', () => `${encoded({ alg: 'none' })}.${encoded(claims)}.`, 'The algorithm of the token is not accepted.'],
  ['no algorithm', () => `${encoded({})}.${encoded(claims)}.AA`, 'The token names no algorithm.'],
  [
    'HS256 with the public key as secret',
    () => {
      const signed = `${encoded({ alg: 'HS256', kid: 'one' })}.${encoded(claims)}`;
      const secret = publicKey.export({ format: 'pem', type: 'spki' });
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    },
    'The algorithm of the token is not accepted.',
  ],
  [
    'RS512, which is not configured',
    () => sign(claims, { alg: 'RS512' }),
    'The algorithm of the token is not accepted.',
  ],
  [
    'another issuer',
    () => sign({ ...claims, iss: 'https://other.example/' }),
    'The issuer of the token is not accepted.',
  ],
  [
    'no issuer',
    () => sign({ ...claims, iss: undefined } as unknown as JWTPayload),
    'The issuer of the token is not accepted.',
  ],
  ['another audience', () => sign({ ...claims, aud: ['other'] }), 'The token is for another audience.'],
  [
    'no audience',
    () => sign({ ...claims, aud: undefined } as unknown as JWTPayload),
    'The token is for another audience.',
  ],
  ['an expired token', () => sign({ ...claims, exp: NOW_SECONDS - 31 }), 'The token has expired.'],
  [
    'no expiry',
    () => sign({ ...claims, exp: undefined } as unknown as JWTPayload),
    'The token has no time in its claim exp.',
  ],
  ['nbf in the future', () => sign({ ...claims, nbf: NOW_SECONDS + 60 }), 'The token is not valid yet.'],
  [
    'no subject',
    () => sign({ ...claims, sub: undefined } as unknown as JWTPayload),
    'The token has no text in its claim sub.',
  ],
  ...['anonymous', '*'].map(
    (sub): BadToken => [
      `the reserved name ${sub}`,
      () => sign({ ...claims, sub }),
      "The name in the token's claim sub is reserved.",
    ],
  ),
  [
    'a name with a line end',
    () => sign({ ...claims, sub: 'alice\nroot' }),
    "The name in the token's claim sub has control characters.",
  ],
  [
    'a blank name',
    () => sign({ ...claims, sub: ' ' }),
    "The name in the token's claim sub has a blank at its beginning or end.",
  ],
  [
    'a name that is read from right to left',
    () => sign({ ...claims, sub: 'alice\u202Etoor' }),
    "The name in the token's claim sub has characters that change how it looks.",
  ],
  [
    'a long name',
    () => sign({ ...claims, sub: 'é'.repeat(129) }),
    "The name in the token's claim sub is longer than 256 bytes.",
  ],
  ['a foreign signature', () => sign(claims, {}, stranger.privateKey), 'The signature of the token is wrong.'],
  ['a changed payload', async () => swapped(await sign(claims)), 'The signature of the token is wrong.'],
  ['no signature', async () => (await sign(claims)).replace(/[^.]*$/, ''), 'The signature of the token is wrong.'],
  ['an unknown key', () => sign(claims, { kid: 'two' }), 'The key of the token is not among those of its issuer.'],
  [
    'a key of its own',
    () => sign(claims, { jwk: stranger.publicKey.export({ format: 'jwk' }) }, stranger.privateKey),
    'The signature of the token is wrong.',
  ],
  [
    'a critical header',
    () => `${encoded({ alg: 'RS256', kid: 'one', crit: ['exp'], exp: 1 })}.${encoded(claims)}.AA`,
    'The token has a critical header that is not supported.',
  ],
  ['another type', () => sign(claims, { typ: 'logout+jwt' }), 'The token is of another type than access tokens.'],
  [
    'a token that is bound to a key',
    () => sign({ ...claims, cnf: { jkt: 'x' } }),
    'The token is bound to a key, and bearer tokens are not.',
  ],
];

/** With another subject under the same signature. */
function swapped(token: string): string {
  const [header, , signature] = token.split('.');
  return `${header}.${encoded({ ...claims, sub: 'root' })}.${signature}`;
}

test.each(BAD)('%s is 401, and reaches no bridge', async (_, token, message) => {
  const before = bridge.requests.length;
  const answer = await ask(tier1.url, bearer(await token()));
  expect(answer).toEqual({
    status: 401,
    challenge: `Bearer realm="causeway", error="invalid_token", error_description="${message}"`,
    body: { error_code: 401, message },
  });
  expect(bridge.requests).toHaveLength(before);
});

test.each(['Bearer\tabc', 'Bearer,abc', 'Bearer', 'bEARER  '])(
  '%j is a bad token and no lack of one, also where requests without credentials are admitted',
  async (authorization) => {
    const lenient = await startGateway({
      regions: regions({ east: bridge.url }),
      auth: { ...auth, anonymous: 'allow' },
    });
    onTestFinished(lenient.close);
    expect((await ask(lenient.url, {})).status).toBe(200);
    expect((await ask(lenient.url, { authorization })).status).toBe(401);
  },
);

test('two Authorization headers are 401, also if the first one is right', async () => {
  const token = await sign(claims);
  expect((await ask(tier1.url, bearer(token))).status).toBe(200);
  const head = `GET /topics/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nauthorization: Bearer x\r\n\r\n`;
  const answer = await rawExchange(tier1.url, head);
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(answer).toContain('more than one Authorization header');
});

describe('a reload', () => {
  const reloadable = async (own: object): Promise<TestGateway> => {
    const started = await startGateway(
      { regions: regions({ east: bridge.url }), auth: own },
      { wallClock: () => nowMs },
    );
    onTestFinished(started.close);
    return started;
  };
  const reload = ({ gateway }: TestGateway, own: object | undefined): void =>
    gateway.reload(testConfig({ regions: regions({ east: bridge.url }), ...(own === undefined ? {} : { auth: own }) }));

  test('of the audience counts for tokens that were admitted before', async () => {
    const gateway = await reloadable(auth);
    const token = await sign(claims);
    expect((await ask(gateway.url, bearer(token))).status).toBe(200);
    reload(gateway, { jwt: { issuers: [{ issuer: ISSUER, audience: ['other'], jwksFile }] } });
    expect((await ask(gateway.url, bearer(token))).status).toBe(401);
    reload(gateway, undefined);
    expect((await ask(gateway.url, {})).status).toBe(200);
    reload(gateway, auth);
    expect((await ask(gateway.url, {})).status).toBe(401);
  });

  test('of the file of keys replaces them; a file that cannot be used is reported, and those before stay', async () => {
    const file = join(directory, 'changing.json');
    const keysOf = (kid: string, key: KeyObject): string =>
      JSON.stringify({ keys: [{ ...key.export({ format: 'jwk' }), kid }] });
    writeFileSync(file, keysOf('one', publicKey));
    const own = { jwt: { issuers: [{ issuer: ISSUER, audience: [AUDIENCE], jwksFile: file }] } };
    const gateway = await reloadable(own);
    const [old, fresh] = [await sign(claims), await sign(claims, { kid: 'two' }, stranger.privateKey)];
    expect((await ask(gateway.url, bearer(old))).status).toBe(200);
    const problems = (): unknown[] =>
      gateway.gateway.events.recent().flatMap((event) => (event.type === 'issuerKeys' ? [event.problem] : []));
    writeFileSync(file, '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}');
    await until('it is reported', () => problems().length === 1);
    expect(problems()).toEqual([`${file} has no public key for signatures`]);
    expect((await ask(gateway.url, bearer(old))).status).toBe(200);
    writeFileSync(file, keysOf('two', stranger.publicKey));
    await until('the new keys are in use', async () => (await ask(gateway.url, bearer(fresh))).status === 200);
    expect((await ask(gateway.url, bearer(old))).status).toBe(401);
    expect(problems()).toEqual([expect.anything(), null]);
  });
});

describe('the principal', () => {
  test.each<[name: string, issuer: object, payload: JWTPayload, principal: string | undefined]>([
    ['a claim in an object', { principalClaim: 'user.name' }, { user: { name: 'bob' } }, 'bob'],
    [
      'a claim with dots in its name',
      { principalClaim: 'https://x.example/name' },
      { 'https://x.example/name': 'bob' },
      'bob',
    ],
    ['a prefix', { principalPrefix: 'id:' }, {}, 'id:alice'],
    [
      'a prefix, which makes the reserved name another one',
      { principalPrefix: 'id:' },
      { sub: 'anonymous' },
      'id:anonymous',
    ],
    ['a number', {}, { sub: 7 as unknown as string }, undefined],
    ['a property that every object has', { principalClaim: 'toString.name' }, {}, undefined],
  ])('comes from %s', async (_, issuer, payload, principal) => {
    const own = { jwt: { issuers: [{ issuer: ISSUER, audience: [AUDIENCE], jwksFile, ...issuer }] } };
    const gateway = await startGateway(
      { regions: regions({ east: bridge.url }), auth: own },
      { wallClock: () => nowMs },
    );
    onTestFinished(gateway.close);
    expect((await ask(gateway.url, bearer(await sign({ ...claims, ...payload })))).status).toBe(
      principal === undefined ? 401 : 200,
    );
    if (principal !== undefined) {
      expect(bridge.requests.at(-1)?.headers).toMatchObject({ 'causeway-principal': principal });
    }
  });

  test('is anonymous without credentials, if that is allowed; wrong ones are 401', async () => {
    const own = { ...auth, anonymous: 'allow', forwardCredentials: true };
    const gateway = await startGateway(
      { regions: regions({ east: bridge.url }), auth: own },
      { wallClock: () => nowMs },
    );
    onTestFinished(gateway.close);
    expect((await ask(gateway.url, {})).status).toBe(200);
    expect(bridge.requests.at(-1)?.headers).toMatchObject({ 'causeway-principal': 'anonymous' });
    for (const authorization of ['Bearer x', 'Bearer', 'bearer ']) {
      expect((await ask(gateway.url, { authorization })).status).toBe(401);
    }
    const right = bearer(await sign(claims));
    expect((await ask(gateway.url, right)).status).toBe(200);
    expect(bridge.requests.at(-1)?.headers).toMatchObject({ 'causeway-principal': 'alice', ...right });
  });
});

test('logs, spans and metrics name the principal, and have nothing of its token', async () => {
  const collector = await startUpstream();
  onTestFinished(() => collector.kill());
  const file = join(directory, 'access.log');
  const gateway = await startGateway(
    {
      regions: regions({ east: bridge.url }),
      auth: { ...auth, metricPrincipals: ['alice'] },
      accessLog: { file },
      tracing: { endpoint: collector.url },
    },
    { wallClock: () => nowMs },
  );
  onTestFinished(gateway.close);
  const tokens = [
    await sign(claims),
    await sign({ ...claims, sub: 'Zoë' }),
    await sign({ ...claims, sub: 'mallory', aud: 'other' }),
    await sign({ ...claims, sub: 'mallory', exp: 1 }),
    'secret-that-is-no-token',
  ];
  for (const token of tokens) await ask(gateway.url, bearer(token));
  await ask(gateway.url, {});
  const metrics = await (await request(`${gateway.adminUrl}/metrics`)).body.text();
  const shown = await (await request(`${gateway.adminUrl}/api/config`)).body.text();
  await gateway.close();
  const log = readFileSync(file, 'utf8');
  const principals = log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ principal, status }: { principal?: string; status: number }) => [principal, status]);
  expect(principals).toEqual([['alice', 200], ['Zoë', 200], ...Array.from({ length: 4 }, () => [undefined, 401])]);
  const count = (name: string): string[] =>
    metrics.split('\n').filter((line) => line.startsWith(name) && !line.endsWith(' 0'));
  expect(count('causeway_authentications_total')).toEqual([
    'causeway_authentications_total{method="none",outcome="failed"} 1',
    'causeway_authentications_total{method="jwt",outcome="authenticated"} 2',
    'causeway_authentications_total{method="jwt",outcome="failed"} 3',
  ]);
  expect(count('causeway_principal_requests_total')).toEqual([
    'causeway_principal_requests_total{principal="alice",outcome="2xx"} 1',
    'causeway_principal_requests_total{principal="other",outcome="2xx"} 1',
  ]);
  expect(count('causeway_issuer_keys_usable')).toEqual([`causeway_issuer_keys_usable{issuer="${ISSUER}"} 1`]);
  const spans = collector.requests.map(({ body }) => body).join('\n');
  // Each text has its length before it.
  expect(spans).toMatch(/enduser\.id[^\p{L}]{4}alice/u);
  expect(spans).toMatch(/enduser\.id[^\p{L}]{4}Zoë/u);
  const written = [log, metrics, shown, spans, JSON.stringify(gateway.gateway.events.recent())].join('\n');
  for (const token of tokens) {
    for (const part of token.split('.').slice(1)) expect(written).not.toContain(part);
  }
  expect(written).not.toContain('secret-that');
  expect(written).not.toContain('mallory');
});

test('a gateway without auth, behind one that authenticates, logs the principal, too', async () => {
  const file = join(directory, 'behind.log');
  const gateway = await startGateway({ regions: regions({ east: bridge.url }), accessLog: { file } });
  onTestFinished(gateway.close);
  const sent = { 'causeway-gateway': 'tier1', 'causeway-principal': 'alice' };
  await ask(gateway.url, { ...sent, ...PROOF });
  await ask(gateway.url, sent);
  await gateway.close();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).principal)).toEqual(['alice', undefined]);
});

test('forged tokens are limited by address, expired ones are not, and tokens that were verified before always pass', async () => {
  const quotas = { failedAuthentications: { perMinute: 1, burst: 5 } };
  const gateway = await startGateway(
    { regions: regions({ east: bridge.url }), auth, quotas },
    { wallClock: () => nowMs },
  );
  onTestFinished(gateway.close);
  const statuses = async (token: (index: number) => Promise<string>): Promise<number[]> => {
    const found: number[] = [];
    for (let index = 0; index < 10; index += 1) found.push((await ask(gateway.url, bearer(await token(index)))).status);
    return found;
  };
  const known = await sign(claims);
  expect((await ask(gateway.url, bearer(known))).status).toBe(200);
  const times = (count: number, status: number): number[] => Array.from({ length: count }, () => status);
  expect(await statuses((index) => sign({ ...claims, exp: index }))).toEqual(times(10, 401));
  expect(await statuses((index) => sign({ ...claims, jti: `fresh ${index}` }))).toEqual(times(10, 200));
  const forged = (index: number): Promise<string> => sign({ ...claims, jti: `${index}` }, {}, stranger.privateKey);
  expect(await statuses(forged)).toEqual([...times(5, 401), ...times(5, 429)]);
  expect((await ask(gateway.url, bearer(known))).status).toBe(200);
  expect((await ask(gateway.url, bearer(await sign({ ...claims, jti: 'one more' })))).status).toBe(429);
});

test('over HTTP/1.1 and HTTP/2, 401 has a challenge for each method, the one that failed first', async () => {
  const file = join(directory, 'keys.yaml');
  writeFileSync(file, `- name: alice\n  key: sha256$${'0'.repeat(64)}\n`, { mode: 0o600 });
  const gateway = await startGateway(
    {
      listen: { port: 0, http2: { isEnabled: true } },
      regions: regions({ east: bridge.url }),
      auth: { ...auth, apiKeys: { file } },
    },
    { wallClock: () => nowMs },
  );
  onTestFinished(gateway.close);
  const session = connect(gateway.url);
  onTestFinished(() => session.destroy());
  const over2 = async (headers: Record<string, string>): Promise<{ status: unknown; challenge: unknown }> => {
    const stream = session.request({ ':path': '/topics/orders', ...headers });
    const [received] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    stream.destroy();
    return { status: received[':status'], challenge: received['www-authenticate'] };
  };
  const failed = 'Bearer realm="causeway", error="invalid_token", error_description="The token is not a signed JWT."';
  const challenges = [failed, 'ApiKey realm="causeway", header="x-api-key"'];
  expect(await ask(gateway.url, bearer('x'))).toMatchObject({ status: 401, challenge: challenges });
  expect(await over2(bearer('x'))).toEqual({ status: 401, challenge: challenges.join(', ') });
  expect(await over2(bearer(await sign(claims)))).toEqual({ status: 200, challenge: undefined });
  expect(bridge.requests.at(-1)?.headers).toMatchObject({ 'causeway-principal': 'alice' });
  // The token decides, and no target gets any of the credentials.
  expect(await over2({ ...bearer(await sign(claims)), 'x-api-key': 'x' })).toMatchObject({ status: 200 });
  expect(bridge.requests.at(-1)?.headers).not.toHaveProperty('x-api-key');
  // Of a method that is not configured.
  expect(await over2({ authorization: 'Basic x' })).toMatchObject({ status: 401 });
});

test('credentials of a method that is not configured reach no target either', async () => {
  const file = join(directory, 'keys.yaml');
  writeFileSync(file, `- name: alice\n  key: sha256$${'0'.repeat(64)}\n`, { mode: 0o600 });
  const own = { apiKeys: { file }, anonymous: 'allow' };
  const gateway = await startGateway({ regions: regions({ east: bridge.url }), auth: own });
  onTestFinished(gateway.close);
  expect((await ask(gateway.url, { authorization: 'Basic eDp5' })).status).toBe(200);
  expect(bridge.requests.at(-1)?.headers).toMatchObject({ 'causeway-principal': 'anonymous' });
  expect(bridge.requests.at(-1)?.headers).not.toHaveProperty('authorization');
});

/** A gateway that trusts a real OpenID provider: keys that rotate, a provider that fails, names of keys that no provider has. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { Agent, request } from 'undici';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { startGateway, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { OpenIdProvider, type ProviderOptions } from '../../../test/harness/openid-provider.ts';
import { until } from '../../../test/harness/until.ts';
import { startUpstream } from '../../../test/harness/upstream.ts';
import { KeySource } from '../src/authentication/jwks-source.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-openid-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function startProvider(options: Partial<ProviderOptions> = {}): Promise<OpenIdProvider> {
  const provider = await OpenIdProvider.start({ clients: [{ id: 'alice', roles: ['writer'] }], ...options });
  onTestFinished(() => provider.close());
  return provider;
}

async function trusting(provider: OpenIdProvider, issuer: object = {}): Promise<TestGateway> {
  const bridge = await startUpstream();
  onTestFinished(() => bridge.kill());
  const auth = { jwt: { issuers: [{ ...provider.issuerYaml, ...issuer }] } };
  const gateway = await startGateway({ regions: [{ name: 'east', targets: [{ url: bridge.url }] }], auth });
  onTestFinished(gateway.close);
  return gateway;
}

async function statusOf(url: string, token: string): Promise<number> {
  const { statusCode, body } = await request(`${url}/topics/orders`, { headers: { authorization: `Bearer ${token}` } });
  await body.dump();
  return statusCode;
}

/** A token that the provider could have granted, without a request to it. */
function minted({ signingKey, issuer, audience }: OpenIdProvider, kid = signingKey.kid): Promise<string> {
  return new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('alice')
    .setExpirationTime('1h')
    .sign(signingKey.privateKey);
}

function problems({ gateway }: TestGateway): (string | null)[] {
  return gateway.events.recent().flatMap((event) => (event.type === 'issuerKeys' ? [event.problem] : []));
}

test.each(['ES256', 'RS256', 'PS256', 'EdDSA'] as const)(
  'tokens that the provider signs with %s are admitted; its keys are found by discovery, and read once',
  async (algorithm) => {
    const provider = await startProvider({ algorithm });
    const gateway = await trusting(provider);
    const tokens = await Promise.all(Array.from({ length: 5 }, () => provider.token('alice')));
    expect(new Set(await Promise.all(tokens.map((token) => statusOf(gateway.url, token))))).toEqual(new Set([200]));
    expect(provider.requests.get('/jwks')).toBe(1);
  },
);

test('over TLS, only a provider whose certificate an authority of caFile has signed is believed', async () => {
  const [authority, stranger] = await Promise.all(
    ['good', 'stranger'].map((name) => TestAuthority.create(directory, name)),
  );
  const { cert, key } = await (authority as TestAuthority).certify('provider', { ip: ['127.0.0.1'] });
  const provider = await startProvider({ tls: { cert, key, ca: (authority as TestAuthority).cert } });
  const token = await provider.token('alice');
  const trustful = await trusting(provider, { caFile: authority?.certFile });
  expect(await statusOf(trustful.url, token)).toBe(200);
  const cautious = await trusting(provider, { caFile: stranger?.certFile });
  expect(await statusOf(cautious.url, token)).toBe(503);
  expect(problems(cautious)).toEqual([expect.stringContaining('unknown authority')]);
});

test('keys that rotate under load fail no request, and a key that is gone ends its tokens', async () => {
  const provider = await startProvider();
  const gateway = await trusting(provider);
  const statuses = new Map<number, number>();
  let token = await provider.token('alice');
  const old = token;
  let isOver = false;
  const agent = new Agent({ connections: 8 });
  const client = async (): Promise<void> => {
    while (!isOver) {
      const headers = { authorization: `Bearer ${token}` };
      const { statusCode, body } = await request(`${gateway.url}/topics/orders`, { headers, dispatcher: agent });
      await body.dump();
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 8 }, client);
  const served = async (more: number): Promise<void> => {
    const before = statuses.get(200) ?? 0;
    await until('requests are served', () => (statuses.get(200) ?? 0) >= before + more);
  };
  try {
    await served(50);
    provider.rotate();
    // Clients get tokens of the new key while others still show those of the old one.
    const fresh = await provider.token('alice');
    expect(await Promise.all([statusOf(gateway.url, fresh), statusOf(gateway.url, token)])).toEqual([200, 200]);
    token = fresh;
    await served(50);
    provider.forgetOldKeys();
    await served(50);
  } finally {
    isOver = true;
    await Promise.all(clients);
    await agent.close();
  }
  expect([...statuses.keys()]).toEqual([200]);
  expect(await statusOf(gateway.url, old)).toBe(200);
  provider.rotate();
  provider.forgetOldKeys();
  expect(await statusOf(gateway.url, await provider.token('alice'))).toBe(200);
  expect(await statusOf(gateway.url, old)).toBe(401);
});

test.each(['down', 'failing'] as const)('while the provider is %s, its last keys stay in use', async (state) => {
  const provider = await startProvider();
  const gateway = await trusting(provider);
  const known = await provider.token('alice');
  expect(await statusOf(gateway.url, known)).toBe(200);
  provider.state = state;
  // Also for tokens that the gateway has not seen.
  expect(await statusOf(gateway.url, await minted(provider))).toBe(200);
  provider.rotate();
  const fresh = await minted(provider);
  expect(await statusOf(gateway.url, fresh)).toBe(503);
  expect(await statusOf(gateway.url, known)).toBe(200);
  expect(await statusOf(gateway.url, await minted(provider, 'key-1'))).toBe(401);
  provider.state = 'up';
  await until('the new key is known', async () => (await statusOf(gateway.url, fresh)) === 200);
  expect(problems(gateway)).toEqual([expect.stringContaining(provider.issuer), null]);
});

test('a provider that is down at the start makes requests wait for nothing, and is found when it is up', async () => {
  const provider = await startProvider();
  provider.state = 'down';
  const gateway = await trusting(provider);
  expect(await statusOf(gateway.url, await minted(provider))).toBe(503);
  provider.state = 'up';
  await until('the keys are known', async () => (await statusOf(gateway.url, await minted(provider))) === 200);
});

test('a reload while the provider is down keeps its keys, also where it changes what tokens must say', async () => {
  const provider = await startProvider();
  const gateway = await trusting(provider);
  expect(await statusOf(gateway.url, await minted(provider))).toBe(200);
  provider.state = 'down';
  const [target] = gateway.gateway.config.regions.flatMap(({ targets }) => targets);
  for (const audience of [[provider.audience], [provider.audience, 'another'], ['another']]) {
    const auth = { jwt: { issuers: [{ ...provider.issuerYaml, audience }] } };
    const regions = [{ name: 'east', weight: 50, targets: [{ url: target?.url }] }];
    gateway.gateway.reload(testConfig({ regions, auth }));
    expect(await statusOf(gateway.url, await minted(provider))).toBe(audience.includes(provider.audience) ? 200 : 401);
  }
});

test('requests that wait for the first keys are bounded', async () => {
  const provider = await startProvider();
  provider.state = 'silent';
  const { source } = sourceOf(provider, () => 0);
  const header = { alg: 'ES256', kid: provider.signingKey.kid };
  const waiting = Array.from({ length: 1_000 }, () => source.find(header));
  expect(await source.find(header)).toEqual({ kind: 'unavailable' });
  source.close();
  expect(new Set((await Promise.all(waiting)).map(({ kind }) => kind))).toEqual(new Set(['unavailable']));
});

function sourceOf({ issuer, jwksUrl }: OpenIdProvider, now: () => number): { source: KeySource; reports: unknown[] } {
  const reports: unknown[] = [];
  const auth = { jwt: { issuers: [{ issuer, jwksUrl, audience: ['x'] }] } };
  const regions = [{ name: 'east', targets: [{ url: 'http://127.0.0.1:1' }] }];
  const [config] = testConfig({ regions, auth }).auth?.jwt?.issuers ?? [];
  if (config === undefined) throw new Error('there is an issuer');
  const source = new KeySource(config, { now, onChange: (problem) => reports.push(problem) });
  onTestFinished(async () => source.close());
  source.start();
  return { source, reports };
}

test('keys stay in use for a day without their provider, and no longer', async () => {
  const provider = await startProvider();
  let nowMs = 0;
  const { source, reports } = sourceOf(provider, () => nowMs);
  const header = { alg: 'ES256', kid: provider.signingKey.kid };
  const found = await source.find(header);
  expect(found).toMatchObject({ kind: 'found', key: { isCurrent: true } });
  provider.state = 'down';
  // A name that is unknown makes the source ask again.
  const askAt = async (atMs: number): Promise<unknown[]> => {
    nowMs = atMs;
    return [(await source.find({ alg: 'ES256', kid: randomUUID() })).kind, (await source.find(header)).kind];
  };
  expect(await askAt(60_000)).toEqual(['unavailable', 'found']);
  expect(await askAt(86_400_000)).toEqual(['unavailable', 'found']);
  expect(await askAt(86_400_001)).toEqual(['unavailable', 'unavailable']);
  expect(found).toMatchObject({ key: { isCurrent: false } });
  expect(reports).toEqual([expect.stringContaining('connection closed')]);
});

test('random names of keys cost the provider three requests, and one more in each interval', async () => {
  const provider = await startProvider();
  const { source } = sourceOf(provider, () => 0);
  const search = (kid: string): Promise<string> => source.find({ alg: 'ES256', kid }).then(({ kind }) => kind);
  await search(provider.signingKey.kid);
  const asked: Record<string, number>[] = [];
  for (let wave = 0; wave < 3; wave += 1) {
    const kinds = await Promise.all(Array.from({ length: 300 }, () => search(randomUUID())));
    asked.push({
      unknown: kinds.filter((kind) => kind === 'unknown').length,
      requests: provider.requests.get('/jwks') ?? 0,
    });
  }
  expect(asked).toEqual([2, 3, 4].map((requests) => ({ unknown: 300, requests })));
  // One that the provider does not have is not asked for again; others wait, so many at most.
  const waiting = Array.from({ length: 1_000 }, () => search(randomUUID()));
  expect(await search(randomUUID())).toBe('unavailable');
  expect(await search(provider.signingKey.kid)).toBe('found');
  // A fetch that had begun would have arrived before these.
  for (let round = 0; round < 3; round += 1) await provider.token('alice');
  source.close();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['unavailable']));
  expect(provider.requests.get('/jwks')).toBe(4);
});

/**
 * A client on the host of the gateways and bridges, with the address of trusted peers, as behind a proxy that terminates TLS on
 * that host: whichever headers it forges, at every tier it is treated as a client.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { TestBridge } from './harness/bridge.ts';
import { regions, startGateway, type TestGateway } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';
import { FORGED, PROOF, TEST_TRUST } from './harness/trust.ts';
import { answerJson, startUpstream, type Upstream } from './harness/upstream.ts';

/** As in the demo. */
const TRUST = { ...TEST_TRUST, proxies: [] };

const GUESSES: [string, Record<string, string>][] = [
  ['no secret', {}],
  ['an empty secret', { 'causeway-secret': '' }],
  ['another secret', { 'causeway-secret': randomBytes(24).toString('hex') }],
  ['one of the same length', { 'causeway-secret': `${PROOF['causeway-secret'].slice(0, -1)}!` }],
  ['the secret twice', { 'causeway-secret': `${PROOF['causeway-secret']}, ${PROOF['causeway-secret']}` }],
];

let bridges: Record<'east' | 'west', TestBridge>;
let regional: TestGateway;
let tier1: TestGateway;

beforeAll(async () => {
  const start = (name: string): Promise<TestBridge> =>
    TestBridge.start(inject('kafkaBootstrap'), { bridge: { name, region: 'east' }, trust: TRUST });
  const [east, west] = await Promise.all([start('east'), start('west')]);
  bridges = { east, west };
  regional = await startGateway({
    gateway: { name: 'inner', region: 'east' },
    regions: regions({ east: east.url, west: west.url }, { west: 0 }),
    trust: TRUST,
  });
  tier1 = await startGateway({ regions: regions({ east: regional.url }), trust: TRUST });
});
afterAll(async () => {
  await tier1.close();
  await regional.close();
  await Promise.all([bridges.east.close(), bridges.west.close()]);
});

interface Received {
  status: number;
  text: string;
  headers: Record<string, unknown>;
}

async function ask(
  url: string,
  headers: Record<string, string>,
  method: 'GET' | 'POST' = 'GET',
  body?: object,
): Promise<Received> {
  const type = body === undefined ? {} : { 'content-type': 'application/vnd.kafka.v2+json' };
  const answer = await request(url, {
    method,
    headers: { ...type, ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

/** Expects a response for clients: without internal headers. */
function expectClientsAnswer({ headers, text }: Received): void {
  expect(Object.keys(headers).filter((name) => name.startsWith('causeway-'))).toEqual([]);
  expect(text).not.toContain('evil');
}

describe.each(['tier1', 'regional', 'bridge'] as const)('at the %s', (tier) => {
  const base = (): string => ({ tier1, regional, bridge: bridges.east })[tier].url;

  test.each(GUESSES)('forged headers with %s have no effect', async (_, guess) => {
    const headers = { ...FORGED, ...guess };
    const host = new URL(base()).host;
    const group = unique('victim');
    // Forged headers do not change the base_uri.
    const created = await ask(`${base()}/consumers/${group}`, headers, 'POST', { name: 'c', format: 'json' });
    expectClientsAnswer(created);
    expect([created.status, JSON.parse(created.text).base_uri]).toEqual([
      200,
      `http://${host}/consumers/${group}/instances/c`,
    ]);
    const path = `/consumers/${group}/instances/c`;
    const subscribed = await ask(`${base()}${path}/subscription`, headers, 'POST', { topics: [unique('topic')] });
    expect(subscribed.status).toBe(204);
    // The consumer stays: a release would be a 421, a failed owner an adoption.
    const polled = await ask(`${base()}${path}/records?timeout=1`, headers);
    expectClientsAnswer(polled);
    expect([polled.status, polled.text]).toEqual([200, '[]']);
    const listed = async ({ url }: TestBridge): Promise<string[]> => {
      const operator = { 'causeway-operator': 'test', ...PROOF };
      const { text } = await ask(`${url}/causeway-sessions?filter=${group}`, operator);
      return JSON.parse(text).consumers.map(({ home }: { home: string }) => home);
    };
    expect([await listed(bridges.east), await listed(bridges.west)]).toEqual([['east/east'], []]);
    // The client cannot list or confirm, and learns nothing about Kafka and the bridges.
    for (const [target, method] of [
      ['/causeway-sessions', 'GET'],
      [`${path}/causeway-delivered`, 'POST'],
    ] as const) {
      const refused = await ask(`${base()}${target}`, headers, method);
      expectClientsAnswer(refused);
      expect([target, refused.status]).toEqual([target, 404]);
    }
    for (const target of ['/ready', '/', '/openapi', '/topics/bad%20name', `/consumers/${group}/instances/unknown`]) {
      expectClientsAnswer(await ask(`${base()}${target}`, headers));
    }
  });
});

test('with the secret, the same requests count as a gateway’s', async () => {
  const probed = await ask(`${bridges.east.url}/ready`, { 'causeway-gateway': 'tier1', ...PROOF });
  expect(probed.headers['causeway-kafka']).toBe('up');
  const openapi = await ask(`${bridges.east.url}/openapi`, { ...FORGED, ...PROOF });
  expect(JSON.parse(openapi.text).basePath).toBe('/evil');
});

describe('a target receives', () => {
  let target: Upstream;
  beforeAll(async () => {
    target = await startUpstream(answerJson({}));
  });
  afterAll(() => target.kill());

  test("no forged header, and the gateway's own secret in place of the client's", async () => {
    const gateway = await startGateway({ regions: regions({ east: target.url }), trust: TRUST });
    try {
      for (const [, guess] of GUESSES) await ask(`${gateway.url}/topics`, { ...FORGED, ...guess });
      expect(target.requests).toHaveLength(GUESSES.length);
      for (const { headers } of target.requests) {
        const ours = Object.entries(headers).filter(([name]) => name.startsWith('causeway-'));
        expect(Object.fromEntries(ours)).toEqual({ 'causeway-gateway': 'gateway', ...PROOF });
        expect(JSON.stringify(headers)).not.toMatch(/evil|6\.6\.6\.6|666/);
      }
    } finally {
      await gateway.close();
    }
  });

  test('the new secret after a reload, which the gateway then also requires of its peers', async () => {
    const gateway = await startGateway({ regions: regions({ east: target.url }), trust: TRUST });
    try {
      const before = target.requests.length;
      const { config } = gateway.gateway;
      const secret = 'another-secret-of-the-system';
      gateway.gateway.reload({ ...config, trust: { ...config.trust, secret } });
      const asGateway = { 'causeway-gateway': 'outer', 'causeway-failed': 'east/bridge' };
      await ask(`${gateway.url}/topics`, { ...asGateway, ...PROOF });
      await ask(`${gateway.url}/topics`, { ...asGateway, 'causeway-secret': secret });
      expect(
        target.requests.slice(before).map(({ headers }) => [headers['causeway-secret'], headers['causeway-gateway']]),
      ).toEqual([
        [secret, 'gateway'],
        [secret, 'outer, gateway'],
      ]);
      const events = gateway.gateway.events.recent();
      expect(events.filter(({ type }) => type === 'impostor')).toHaveLength(1);
      expect(events.find((event) => event.type === 'reload')).toMatchObject({ changes: ['trust.secret: changed'] });
      const shown = await Promise.all(
        ['/api/config', '/api/topology'].map((path) => ask(`${gateway.adminUrl}${path}`, {})),
      );
      for (const text of [JSON.stringify(events), ...shown.map(({ text }) => text)]) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(PROOF['causeway-secret']);
      }
    } finally {
      await gateway.close();
    }
  });
});

/** What a client can bring about by itself is not held against a region, at either tier, and moves no consumer. */
import { entryOf, OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { FAILED_HEADER, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { type ConfigOverrides, regions, startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../test/harness/upstream.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function upstream(handle: UpstreamHandler, bridge?: string): Promise<Upstream> {
  const started = await startUpstream(handle);
  started.bridge = bridge;
  cleanups.push(() => started.kill());
  return started;
}

async function gateway(overrides: ConfigOverrides): Promise<TestGateway> {
  const started = await startGateway(overrides);
  cleanups.push(started.close);
  return started;
}

interface Answer {
  status: number;
  text: string;
}

interface AskOptions {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
}

async function ask(url: string, { method = 'GET', body, headers = {} }: AskOptions = {}): Promise<Answer> {
  const type = body === undefined ? {} : { 'content-type': 'application/vnd.kafka.v2+json' };
  const answer = await request(url, {
    method: method as 'GET',
    headers: { ...type, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

function eventsOf(gateways: readonly TestGateway[], type: string): unknown[] {
  return gateways.flatMap(({ gateway: each }) => each.events.recent().filter((event) => event.type === type));
}

const never: UpstreamHandler = () => {};
const BLAME = { breaker: { minRequests: 5, errorPercent: 1 } };
// Long enough for a busy machine to connect: a request that has no connection in time goes elsewhere.
const IMPATIENT = { request: { attemptTimeoutMs: 2_000, pollMarginMs: 2_000, deadlineMs: 20_000 } };

interface TwoTiers {
  east: Upstream;
  west: Upstream;
  /** Tier-1 and the regions' gateways. */
  gateways: TestGateway[];
  url: string;
}

/** Two regions of a gateway and a bridge each; east is asked first, and each gateway falls back on the other one's. */
async function twoTiers(handle: UpstreamHandler, overrides: ConfigOverrides = {}): Promise<TwoTiers> {
  const east = await upstream(handle, 'east/bridge');
  const west = await upstream(answerJson({ from: 'west' }), 'west/bridge');
  const regional = async (region: string, own: Upstream, others: unknown[]): Promise<TestGateway> =>
    await gateway({
      ...BLAME,
      ...overrides,
      gateway: { name: `${region}-gateway`, region },
      regions: [{ name: region, priority: 0, targets: [{ url: own.url }] }, ...others],
    });
  const westGateway = await regional('west', west, []);
  const eastGateway = await regional('east', east, [
    { name: 'west', priority: 1, targets: [{ url: westGateway.url }] },
  ]);
  const tier1 = await gateway({
    ...BLAME,
    ...overrides,
    regions: [
      { name: 'east', priority: 0, targets: [{ url: eastGateway.url }] },
      { name: 'west', priority: 1, targets: [{ url: westGateway.url }] },
    ],
  });
  return { east, west, gateways: [tier1, eastGateway, westGateway], url: tier1.url };
}

const OF_CONSUMERS = OPERATIONS.filter(({ path }) => path.includes('{instance}')).map(({ operation }) => operation);
const PRODUCE = { method: 'POST', body: '{"records":[{"value":"v"}]}' };

describe('a request that merely waits', () => {
  test('is answered 504 by the region that it waited for, which stays in use, as does its consumer', async () => {
    const { east, west, gateways, url } = await twoTiers(never, IMPATIENT);
    const operations = [...OF_CONSUMERS, 'createConsumer', 'send', 'sendToPartition', 'createTopic'] as const;
    const asked = operations.flatMap((operation) => {
      const { method, path } = entryOf(operation);
      const target = path.replaceAll(/\{(\w+)\}/g, (_, name) => (name === 'partition' ? '0' : name));
      const query = operation === 'poll' ? '?timeout=0' : '';
      // Together more than breaker.minRequests.
      return Array.from({ length: 3 }, async () => {
        const options = method === 'POST' ? { method, body: '{}' } : { method };
        const { status, text } = await ask(`${url}${target}${query}`, options);
        return { operation, status, isOfEast: text.includes('region east: no response within') };
      });
    });
    const expected = operations.flatMap((operation) => Array(3).fill({ operation, status: 504, isOfEast: true }));
    expect(await Promise.all(asked)).toEqual(expected);
    expect(west.requests).toEqual([]);
    expect(east.requests.filter(({ headers }) => headers[FAILED_HEADER] !== undefined)).toEqual([]);
    expect(eventsOf(gateways, 'breaker')).toEqual([]);
  });

  test('opens no breaker, also when its connection ends instead, for as long as one client does it', async () => {
    const { gateways, url } = await twoTiers((_, response) => response.destroy());
    for (let count = 0; count < 30; count += 1) await ask(`${url}/topics/t${count}`, PRODUCE);
    expect(eventsOf(gateways, 'breaker')).toEqual([]);
  });
});

describe('a region whose targets have as many requests as they may', () => {
  test.each(['alone', 'beside one that is gone'])('%s, stays in use, and others serve the rest', async (kind) => {
    const east = await upstream(never);
    const gone = await upstream(never);
    const west = await upstream(answerJson({ from: 'west' }));
    const own = kind === 'alone' ? [east] : [east, gone];
    const regional = await gateway({
      ...BLAME,
      upstream: { maxInFlight: 3 },
      gateway: { name: 'east-gateway', region: 'east' },
      regions: [{ name: 'east', targets: own.map(({ url }) => ({ url })) }],
    });
    if (kind !== 'alone') {
      await gone.kill();
      await until('its end is known', () => eventsOf([regional], 'health').length > own.length);
    }
    const tier1 = await gateway({
      ...BLAME,
      regions: [
        { name: 'east', priority: 0, targets: [{ url: regional.url }] },
        { name: 'west', priority: 1, targets: [{ url: west.url }] },
      ],
    });
    for (let count = 0; count < 3; count += 1) {
      void ask(`${tier1.url}/topics/slow${count}`, PRODUCE).catch(() => {});
      await until('it is under way', () => east.requests.length === count + 1);
    }
    const direct = await request(`${regional.url}/topics/t`);
    expect([direct.statusCode, direct.headers['retry-after']]).toEqual([503, '1']);
    expect(await direct.body.text()).toContain('have as many as they may');
    for (let count = 0; count < 20; count += 1) {
      const { status, text } = await ask(`${tier1.url}/topics/t`, PRODUCE);
      expect([status, text]).toEqual([200, '{"from":"west"}']);
    }
    expect(eventsOf([tier1], 'breaker')).toEqual([]);
  });
});

describe('a target that answers probes and nothing else', () => {
  test('is left when several clients find it so, and not for one', async () => {
    const east = await upstream(never);
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({
      ...BLAME,
      request: { attemptTimeoutMs: 500, pollMarginMs: 500, deadlineMs: 5_000 },
      regions: [
        { name: 'east', priority: 0, targets: [{ url: east.url }] },
        { name: 'west', priority: 1, targets: [{ url: west.url }] },
      ],
    });
    const askAs = (client: string): Promise<Answer> =>
      ask(`${gw.url}/topics/t`, { ...PRODUCE, headers: { 'x-forwarded-for': client } });
    await Promise.all(Array.from({ length: 20 }, () => askAs('198.51.100.1')));
    // One client: what it writes itself, and the addresses of its network, make it no more.
    await Promise.all(Array.from({ length: 20 }, (_, index) => askAs(`6.6.6.${index}, 198.51.100.1`)));
    await Promise.all(Array.from({ length: 20 }, (_, index) => askAs(`2001:db8::${index}`)));
    expect(eventsOf([gw], 'breaker')).toEqual([]);
    await Promise.all(Array.from({ length: 20 }, (_, index) => askAs(`198.51.100.${index}`)));
    await until('the breaker opens', () => eventsOf([gw], 'breaker').length > 0);
  });
});

describe('a request that takes targets down with it', () => {
  const isPoison = (text: string): boolean => text.includes('poison');
  const poison = { method: 'POST', body: '{"records":[{"value":"poison"}]}' };
  const mortal = async (bridge: string): Promise<Upstream> => {
    const started = await upstream((received, response) => {
      if (isPoison(received.body)) void started.kill();
      else answerJson({ from: bridge })(received, response);
    }, bridge);
    return started;
  };

  test('is offered a second one, marked, and never a third', async () => {
    const targets = await Promise.all(['a/b', 'b/b', 'c/b'].map(mortal));
    const gw = await gateway({
      regions: targets.map(({ url }, priority) => ({ name: 'abc'[priority], priority, targets: [{ url }] })),
    });
    const { status, text } = await ask(`${gw.url}/topics/t`, poison);
    expect([status, JSON.parse(text)]).toEqual([
      502,
      {
        error_code: 502,
        message:
          'Two targets failed while this request was in flight on them, and it is not sent to a third: ' +
          'region a: connection closed; region b: connection closed.',
      },
    ]);
    expect(targets.map(({ requests }) => requests.map(({ headers }) => headers[SUSPECT_HEADER]))).toEqual([
      [undefined],
      ['1'],
      [],
    ]);
    // Others are served by what is left.
    expect((await ask(`${gw.url}/topics/t`, PRODUCE)).text).toBe('{"from":"c/b"}');
  });

  test('is offered no third one behind other gateways either', async () => {
    const bridges = await Promise.all(['a/b', 'b/b', 'c/b'].map(mortal));
    const gateways: TestGateway[] = [];
    for (const [index, { url }] of bridges.entries()) {
      const region = 'abc'[index] as string;
      const own = { name: region, priority: 0, targets: [{ url }] };
      gateways.push(await gateway({ gateway: { name: `gateway-${region}`, region }, regions: [own] }));
    }
    const tier1 = await gateway({
      regions: gateways.map(({ url }, priority) => ({ name: 'abc'[priority], priority, targets: [{ url }] })),
    });
    const { status, text } = await ask(`${tier1.url}/topics/t`, poison);
    expect(status).toBe(502);
    expect(text).toContain('region b: connection closed');
    expect(bridges.map(({ requests }) => requests.length)).toEqual([1, 1, 0]);
    expect(bridges[1]?.requests[0]?.headers[SUSPECT_HEADER]).toBe('1');
  });

  test('those that are under way beside it get their second target, all of them', async () => {
    const east = await upstream(never);
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({
      regions: [...regions({ east: east.url }), { name: 'west', priority: 1, targets: [{ url: west.url }] }],
    });
    const pending = Array.from({ length: 200 }, () => ask(`${gw.url}/topics/t`, PRODUCE));
    await until('they are under way', () => east.requests.length === 200);
    await east.kill();
    expect((await Promise.all(pending)).map(({ status }) => status)).toEqual(Array(200).fill(200));
  });

  test('a client cannot pretend that its request is one', async () => {
    const { west, east, url } = await twoTiers((_, response) => response.destroy());
    expect((await ask(`${url}/topics/t`, { ...PRODUCE, headers: { [SUSPECT_HEADER]: '2' } })).status).toBe(200);
    expect([east.requests.length, west.requests[0]?.headers[SUSPECT_HEADER]]).toEqual([1, '1']);
  });
});

/** A consumer with any name is reachable at its base_uri, through tier-1, a regional gateway and a bridge. */
import fc from 'fast-check';
import { Client, request } from 'undici';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from './harness/bridge.ts';
import { regions, startGateway, type TestGateway } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';

let bridge: TestBridge;
let regional: TestGateway;
let tier1: TestGateway;
beforeAll(async () => {
  bridge = await TestBridge.start(inject('kafkaBootstrap'));
  regional = await startGateway({ gateway: { region: 'east' }, regions: regions({ east: bridge.url }) });
  tier1 = await startGateway({ regions: regions({ east: regional.url }) });
});
afterAll(async () => {
  await tier1.close();
  await regional.close();
  await bridge.close();
});

interface Received {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
  body: any;
}

async function ask(url: string, body?: object, headers: Record<string, string> = {}): Promise<Received> {
  const init =
    body === undefined
      ? { headers }
      : {
          method: 'POST' as const,
          headers: { 'content-type': 'application/vnd.kafka.v2+json', ...headers },
          body: JSON.stringify(body),
        };
  const answer = await request(url, init);
  const text = await answer.body.text();
  return { status: answer.statusCode, body: text === '' ? undefined : JSON.parse(text) };
}

const TOPIC = unique('topic');

/** Creates a consumer and sends requests to its base_uri; `undefined` if the name is refused. */
async function reach(group: string, name: string): Promise<unknown> {
  const created = await ask(`${tier1.url}/consumers/${encodeURIComponent(group)}`, { name, format: 'json' });
  if (created.status === 422) return undefined;
  const { base_uri: uri, instance_id: id } = created.body;
  const subscribed = await ask(`${uri}/subscription`, { topics: [TOPIC] });
  const listed = await ask(`${uri}/subscription`);
  const polled = await ask(`${uri}/records?timeout=1`, undefined, { accept: 'application/vnd.kafka.json.v2+json' });
  const deleted = await request(uri, { method: 'DELETE' });
  await deleted.body.dump();
  return [created.status, id, subscribed.status, listed.status, polled.status, polled.body, deleted.statusCode];
}

const reached = (name: string): unknown => [200, name, 204, 200, 200, [], 204];

test.each([
  ...[
    'a/b',
    'a?b',
    'a#b',
    '#',
    '%2F',
    '%2f..',
    '%',
    '%%',
    '%zz',
    '...',
    '.a',
    'a b',
    ' ',
    '/',
    '//',
    '\\',
    'a\0b',
    'ü',
    '😀',
  ],
  ...[
    'a;b',
    'a:b',
    ':',
    '*',
    '"',
    "'",
    '<>',
    '{}',
    '|',
    '^',
    '`',
    '[',
    '+',
    '&=',
    '~',
    '$',
    '@',
    ',',
    '\n',
    '\t',
    'records',
  ],
  ...['instances', '%2e%2e', '__proto__', 'constructor'],
])('a consumer %j in a group of that name', async (name) => {
  expect(await reach(name, name)).toEqual(reached(name));
});

test.each(['', '.', '..', '\ud800', 'x'.repeat(5_000)])(
  'a name that no URL can contain is refused, %#',
  async (name) => {
    const { status, body } = await ask(`${tier1.url}/consumers/g`, { name, format: 'json' });
    expect([status, body.error_code]).toEqual([422, 422]);
    expect(body.message).toMatch(/^The name of (?:a|the) consumer /);
  },
);

test('a consumer with any name that is not refused', async () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(name, async (text) => {
      const result = await reach('property', text);
      if (result !== undefined) expect(result).toEqual(reached(text));
    }),
    { seed: 11, numRuns: 60 },
  );
});

test.each(['/consumers/g/', '//consumers//g', '/./consumers/x/../g', '/consumers/%67'])(
  '%s gives a normalized base_uri',
  async (path) => {
    const { host } = new URL(tier1.url);
    const name = unique('c');
    // With a client that does not normalize the path.
    const client = new Client(tier1.url);
    const { statusCode, body } = await client.request({
      path,
      method: 'POST',
      body: JSON.stringify({ name }),
      headers: { 'content-type': 'application/vnd.kafka.v2+json' },
    });
    expect([statusCode, ((await body.json()) as { base_uri: string }).base_uri]).toEqual([
      200,
      `http://${host}/consumers/g/instances/${name}`,
    ]);
    await client.close();
  },
);

test.each([
  [{ host: 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' }, 'https://api.example:443'],
  [{ host: 'api.example', 'x-forwarded-proto': 'https' }, 'https://api.example:443'],
  [{ host: 'i', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https' }, 'https://api.example:443'],
  [
    { host: 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443', 'x-forwarded-prefix': '/kafka/' },
    'https://api.example:8443/kafka',
  ],
] as [Record<string, string>, string][])('behind a proxy that sends %j, through all tiers', async (headers, base) => {
  const name = unique('c');
  const { body } = await ask(`${tier1.url}/consumers/g`, { name }, headers);
  expect(body.base_uri).toBe(`${base}/consumers/g/instances/${name}`);
});

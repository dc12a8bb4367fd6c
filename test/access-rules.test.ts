/** What principals may do: a tier-1 gateway, a regional one and a bridge over a real Kafka, with clients that show tokens. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccessRule } from '@causeway/gateway/authorization/rules.ts';
import { entryOf, type NamedOperation, OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { formatTopicFilter, MAX_TOPIC_FILTER_BYTES } from '@causeway/protocol/topic-filter.ts';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { mayUse, PRINCIPALS, ROLES, someNames, someRules } from './harness/access-rules.ts';
import { bridgeOfFile, kafkaOfFile, TestBridge } from './harness/bridge.ts';
import { startGateway, type TestGateway, testConfig } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';

const KAFKA_V2 = 'application/vnd.kafka.v2+json';
const RECORDS = 'application/vnd.kafka.json.v2+json';

const directory = mkdtempSync(join(tmpdir(), 'causeway-rules-'));
const jwksFile = join(directory, 'jwks.json');
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' }] }));
const auth = { jwt: { issuers: [{ issuer: 'https://id.example', audience: ['causeway'], jwksFile }] } };

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile({ consumers: { topicRefreshMs: 100 } });

const [own, foreign, secret] = [unique('own'), unique('foreign'), unique('own-secret')];
const unknown = unique('unknown');
const [ownGroup, foreignGroup] = [unique('own-group'), unique('foreign-group')];
const RULES: AccessRule[] = [
  { principals: ['alice'], operations: ['all'], topics: ['own*'], groups: ['own-group*'], effect: 'allow' },
  { roles: ['reader'], operations: ['consume', 'describe'], topics: [own], groups: [ownGroup], effect: 'allow' },
  { principals: ['mallory'], operations: ['all'], topics: ['*'], groups: ['*'], effect: 'allow' },
  { principals: ['alice'], operations: ['all'], topics: ['own-secret*'], effect: 'deny' },
];

let regional: TestGateway;
let tier1: TestGateway;

function tier1Config(rules: readonly AccessRule[]) {
  const targets = [{ url: regional.url }];
  return { regions: [{ name: 'east', targets }], auth, access: { rules } };
}

beforeAll(async () => {
  const east = { name: 'east', targets: [{ url: bridge.url }] };
  regional = await startGateway({
    gateway: { region: 'east', name: 'regional' },
    regions: [east],
    auth,
    access: { rules: RULES },
  });
  tier1 = await startGateway(tier1Config(RULES));
  await Promise.all([own, foreign, secret].map((topic) => kafka.createTopic(topic, 1)));
});
afterAll(async () => {
  await tier1.close();
  await regional.close();
  rmSync(directory, { recursive: true });
});

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers have every shape.
  body: any;
}

class Client {
  readonly principal: string;
  readonly #token: string;
  /** Where it connects. */
  gateway: () => TestGateway = () => tier1;

  private constructor(principal: string, token: string) {
    this.principal = principal;
    this.#token = token;
  }

  static async as(principal: string, roles: string[] = []): Promise<Client> {
    const token = new SignJWT({ iss: 'https://id.example', aud: 'causeway', sub: principal, roles });
    const signed = token.setProtectedHeader({ alg: 'EdDSA', kid: 'one' }).setExpirationTime('1h').sign(privateKey);
    return new Client(principal, await signed);
  }

  async ask(method: string, path: string, body?: unknown, type = KAFKA_V2, headers: object = {}): Promise<Answer> {
    const { statusCode: status, body: content } = await request(`${this.gateway().url}${path}`, {
      method: method as 'GET',
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...headers,
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await content.text();
    return { status, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** Returns the path of a new consumer. */
  async consumer(group: string): Promise<string> {
    const name = unique('c');
    const body = { name, format: 'json', 'auto.offset.reset': 'earliest' };
    expect(await this.ask('POST', `/consumers/${group}`, body)).toMatchObject({ status: 200 });
    return `/consumers/${group}/instances/${name}`;
  }
}

const [alice, bob, reader, mallory] = await Promise.all([
  Client.as('alice'),
  Client.as('bob'),
  Client.as('rita', ['reader']),
  Client.as('mallory'),
]);

/** The body of each operation; of a topic, where it names one there. */
const partitionsOf = (topic: string) => ({ partitions: [{ topic, partition: 0 }] });
const offsetsOf = (topic: string) => ({ offsets: [{ topic, partition: 0, offset: 0 }] });
const BODIES: Partial<Record<NamedOperation, (topic: string) => unknown>> = {
  createTopic: (topic_name) => ({ topic_name }),
  send: () => ({ records: [{ value: '1' }] }),
  sendToPartition: () => ({ records: [{ value: '1' }] }),
  createConsumer: () => ({ name: unique('c') }),
  subscribe: (topic) => ({ topics: [topic] }),
  assign: partitionsOf,
  commit: offsetsOf,
  seek: offsetsOf,
  seekToBeginning: partitionsOf,
  seekToEnd: partitionsOf,
};
const VERBS = { produce: 'produce to', consume: 'consume', describe: 'describe', createTopics: 'create' };
const NAMED_IN_BODY: readonly NamedOperation[] = [
  'createTopic',
  'subscribe',
  'assign',
  'commit',
  'seek',
  'seekToBeginning',
  'seekToEnd',
];

function ask(client: Client, operation: NamedOperation, names: { topic: string; consumer: string }): Promise<Answer> {
  const { method, path, kind } = entryOf(operation);
  const [, group = '', rest = ''] = /^\/consumers\/([^/]+)(.*)$/.exec(names.consumer) ?? [];
  const target = path
    .replace('{topic}', names.topic)
    .replace('{partition}', '0')
    .replace('{group}', group)
    .replace('/instances/{instance}', rest);
  return client.ask(method, target, BODIES[operation]?.(names.topic), kind === 'produce' ? RECORDS : KAFKA_V2);
}

describe.each(['tier1', 'regional'] as const)('at the %s gateway', (tier) => {
  const gateway = (): TestGateway => (tier === 'tier1' ? tier1 : regional);
  beforeAll(() => {
    for (const client of [alice, bob, reader, mallory]) client.gateway = gateway;
  });
  afterAll(() => {
    for (const client of [alice, bob, reader, mallory]) client.gateway = () => tier1;
  });

  const onTopics = OPERATIONS.filter(
    ({ operation, path }) => path.includes('{topic}') || NAMED_IN_BODY.includes(operation),
  );
  test.each(onTopics.map(({ operation }) => operation))('%s: own topics alone', async (operation) => {
    const { right = 'describe', kind } = entryOf(operation);
    const consumerOf = async (): Promise<string> => (kind === 'consumer' ? await alice.consumer(ownGroup) : '');
    const topic = operation === 'createTopic' ? unique('own-new') : own;
    const permitted = await ask(alice, operation, { topic, consumer: await consumerOf() });
    expect([200, 201, 204, 404]).toContain(permitted.status);
    for (const other of [foreign, unknown, secret]) {
      const { body } = await ask(alice, operation, { topic: other, consumer: await consumerOf() });
      const message = `alice may not ${VERBS[right]} topic ${other}`;
      expect(body).toEqual({ error_code: 403, message });
    }
    const message =
      kind === 'consumer' ? `bob may not consume in group ${ownGroup}` : `bob may not ${VERBS[right]} topic ${own}`;
    expect((await ask(bob, operation, { topic: own, consumer: await consumerOf() })).body).toEqual({
      error_code: 403,
      message,
    });
  });

  const onConsumers = OPERATIONS.filter(({ kind }) => kind === 'consumer').map(({ operation }) => operation);
  test.each(onConsumers)('%s: own groups, and own consumers in them', async (operation) => {
    const consumer = await alice.consumer(ownGroup);
    expect((await ask(alice, operation, { topic: own, consumer })).status).not.toBe(403);
    const theirs = await mallory.consumer(foreignGroup);
    for (const [group, path] of [
      [foreignGroup, theirs],
      [unknown, `/consumers/${unknown}/instances/c`],
    ] as const) {
      const { body } = await ask(alice, operation, { topic: own, consumer: path });
      expect(body).toEqual({ error_code: 403, message: `alice may not consume in group ${group}` });
    }
    if (operation === 'createConsumer') return;
    const others = await alice.consumer(ownGroup);
    const name = others.split('/').at(-1);
    for (const client of [reader, mallory]) {
      const { body } = await ask(client, operation, { topic: own, consumer: others });
      const message = `${client.principal} may not use consumer ${name} in group ${ownGroup}`;
      expect(body).toEqual({ error_code: 403, message });
    }
  });

  test('the list has the topics that the principal may describe', async () => {
    const names = async (client: Client) => new Set((await client.ask('GET', '/topics')).body as string[]);
    expect([...(await names(alice))].every((name) => name.startsWith('own') && !name.startsWith('own-secret'))).toBe(
      true,
    );
    expect((await names(alice)).has(own)).toBe(true);
    expect(await names(reader)).toEqual(new Set([own]));
    expect(await names(bob)).toEqual(new Set());
    expect((await names(mallory)).has(foreign)).toBe(true);
  });

  test('what describes the API is for everyone', async () => {
    for (const path of ['/', '/openapi']) {
      expect((await bob.ask('GET', path)).status).toBe(200);
      expect((await request(`${gateway().url}${path}`)).statusCode).toBe(401);
    }
    for (const path of ['/healthy', '/ready']) expect((await request(`${gateway().url}${path}`)).statusCode).toBe(200);
  });
});

test('the operations whose bodies name topics are known', () => {
  const naming = OPERATIONS.filter(
    ({ body, kind }) => kind !== 'produce' && JSON.stringify(body ?? {}).includes('topic'),
  );
  expect(naming.map(({ operation }) => operation).sort()).toEqual([...NAMED_IN_BODY].sort());
  // Records name none.
  const records = OPERATIONS.filter(({ kind }) => kind === 'produce');
  expect(JSON.stringify(records.map(({ body }) => body))).not.toContain('"topic"');
});

test('the longest filter reaches the bridge, beside the longest head of a client', async () => {
  const topics: string[] = [];
  while (formatTopicFilter({ allow: topics, deny: [] }).length < MAX_TOPIC_FILTER_BYTES - 40)
    topics.push(unique('own-topic'));
  const [topic = ''] = topics;
  tier1.gateway.reload(
    testConfig(
      tier1Config([{ roles: ['many'], operations: ['consume'], topics, groups: [ownGroup], effect: 'allow' }]),
    ),
  );
  const many = await Client.as('é'.repeat(128), ['many']);
  const path = `/consumers/${ownGroup}/instances/none/positions/end`;
  const long = { 'x-long': 'y'.repeat(15_200) };
  expect((await many.ask('POST', path, partitionsOf(topic), KAFKA_V2, long)).status).toBe(404);
  expect((await many.ask('POST', path, partitionsOf(own), KAFKA_V2, long)).status).toBe(403);
  tier1.gateway.reload(testConfig(tier1Config(RULES)));
});

test('gateway and bridge decide generated rules and names as they read', async () => {
  const prefix = unique('g');
  const prefixed = (names: readonly string[] | undefined) =>
    names?.map((name) => (name === '*' ? name : `${prefix}${name}`));
  await fc.assert(
    fc.asyncProperty(
      someRules,
      fc.constantFrom(...PRINCIPALS.filter((name) => name !== 'anonymous')),
      fc.subarray(ROLES),
      someNames,
      someNames,
      async (generated, name, roles, topicName, groupName) => {
        const rules = JSON.parse(
          JSON.stringify(
            generated.map((rule) => ({ ...rule, topics: prefixed(rule.topics), groups: prefixed(rule.groups) })),
          ),
        ) as AccessRule[];
        tier1.gateway.reload(testConfig(tier1Config(rules)));
        const client = await Client.as(name, roles);
        const [topic, group] = [`${prefix}${topicName}`, `${prefix}${groupName}`];
        const who = { name, roles };
        const mayRead = mayUse(rules, who, { right: 'consume', key: 'topics', name: topic });
        const mayJoin = mayUse(rules, who, { right: 'consume', key: 'groups', name: group });
        // Without a consumer, and so without an effect: what is permitted is not found.
        const sought = await client.ask(
          'POST',
          `/consumers/${group}/instances/none/positions/end`,
          partitionsOf(topic),
        );
        expect(sought.status).toBe(mayRead && mayJoin ? 404 : 403);
        const mayProduce = mayUse(rules, who, { right: 'produce', key: 'topics', name: topic });
        const sent = await client.ask('POST', `/topics/${topic}`, { records: [] }, RECORDS);
        expect(sent.status).toBe(mayProduce ? 200 : 403);
      },
    ),
    { numRuns: 60 },
  );
  tier1.gateway.reload(testConfig(tier1Config(RULES)));
});

test('a reload narrows a pattern that a consumer has subscribed to', async () => {
  const prefix = unique('own-reload');
  const [first, second] = [`${prefix}-a`, `${prefix}-b`];
  await Promise.all([first, second].map((topic) => kafka.createTopic(topic, 1)));
  const produce = async (): Promise<void> => {
    for (const topic of [first, second]) {
      expect((await mallory.ask('POST', `/topics/${topic}`, { records: [{ value: '1' }] }, RECORDS)).status).toBe(200);
    }
  };
  const consumer = await alice.consumer(ownGroup);
  const pattern = { topic_pattern: `${prefix}.*` };
  expect((await alice.ask('POST', `${consumer}/subscription`, pattern)).status).toBe(204);
  const topicsOfPoll = async (timeoutMs: number): Promise<string[]> => {
    const { status, body } = await alice.ask('GET', `${consumer}/records?timeout=${timeoutMs}`);
    expect(status).toBe(200);
    return body.map(({ topic }: { topic: string }) => topic);
  };
  const until = async (topics: string[]): Promise<string[]> => {
    const read: string[] = [];
    while (!topics.every((topic) => read.includes(topic))) read.push(...(await topicsOfPoll(1000)));
    return read;
  };
  await produce();
  await until([first, second]);
  await produce();
  tier1.gateway.reload(
    testConfig(
      tier1Config([...RULES, { principals: ['alice'], operations: ['consume'], topics: [second], effect: 'deny' }]),
    ),
  );
  expect(await until([first])).not.toContain(second);
  expect(await topicsOfPoll(300)).toEqual([]);
  tier1.gateway.reload(testConfig(tier1Config(RULES)));
  expect(await until([second])).not.toContain(first);
});

test("another principal's request through the same gateway leaves the confirmation of a delivery alone", async () => {
  const topic = unique('own-delivered');
  await kafka.createTopic(topic, 1);
  await mallory.ask('POST', `/topics/${topic}`, { records: [{ value: '1' }, { value: '2' }] }, RECORDS);
  const consumer = await alice.consumer(ownGroup);
  await alice.ask('POST', `${consumer}/subscription`, { topics: [topic] });
  const poll = () => alice.ask('GET', `${consumer}/records?timeout=2000`);
  expect((await poll()).body).toHaveLength(2);
  expect((await mallory.ask('GET', `${consumer}/records`)).status).toBe(403);
  await mallory.ask('POST', `/topics/${topic}`, { records: [{ value: '3' }] }, RECORDS);
  expect((await poll()).body.map(({ value }: { value: string }) => value)).toEqual(['3']);
});

describe('where the next hop does not trust the gateway', () => {
  test.each(['a bridge', 'a regional gateway'])(
    '%s serves no client with a principal, lists included, and the operator learns why',
    async (hop) => {
      const untrusting = { trust: { peers: [], proxies: [] } };
      const open = await TestBridge.start(inject('kafkaBootstrap'), hop === 'a bridge' ? untrusting : {});
      const between = await startGateway({
        ...untrusting,
        gateway: { region: 'east', name: 'untrusting' },
        regions: [{ name: 'east', targets: [{ url: open.url }] }],
      });
      const { url } = hop === 'a bridge' ? open : between;
      const east = { name: 'east', targets: [{ url }] };
      // Also for a response that is too long to be held.
      const gateway = await startGateway({
        regions: [east],
        auth,
        access: { rules: RULES },
        response: { bufferBytes: 10 },
      });
      mallory.gateway = () => gateway;
      const withheld = {
        error_code: 502,
        message: 'The region does not apply what this gateway knows of its clients, and its response is withheld.',
      };
      try {
        expect((await mallory.ask('GET', '/topics')).body).toEqual(withheld);
        expect((await mallory.ask('POST', `/consumers/${foreignGroup}`, { name: unique('c') })).body).toEqual(withheld);
        // What the URL alone decides.
        const { status } = await mallory.ask('POST', `/topics/${foreign}`, { records: [] }, RECORDS);
        expect(status).toBe(200);
        expect((await mallory.ask('GET', '/consumers/none/instances/none/records')).status).toBe(404);
        const events = gateway.gateway.events.recent().filter(({ type }) => type === 'rulesNotEnforced');
        expect(events).toMatchObject([{ region: 'east', target: url, requestCount: 1 }]);
      } finally {
        mallory.gateway = () => tier1;
        await gateway.close();
        await between.close();
        await open.close();
      }
    },
  );
});

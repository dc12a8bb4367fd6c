/** Whose a consumer is, and which topics its principal may use: two bridges over one Kafka, asked as gateways ask. */
import { OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { formatTopicFilter, type TopicPatterns } from '@causeway/protocol/topic-filter.ts';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type JsonAnswer, kafkaOfFile, TestBridge } from '../../../test/harness/bridge.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import type { LoggedEntry } from '../src/ownership/session-entry.ts';
import { SessionLog } from '../src/ownership/session-log.ts';

const kafka = await kafkaOfFile();
const region = unique('region');
const [east, west] = await Promise.all(
  ['east', 'west'].map((name) =>
    TestBridge.start(inject('kafkaBootstrap'), {
      bridge: { name, region },
      // New topics are noticed at once.
      consumers: { topicRefreshMs: 100 },
    }),
  ),
);
if (east === undefined || west === undefined) throw new Error('no bridges');
const EAST_FAILED = { 'causeway-failed': `${region}/east` };
const cluster = testCluster(inject('kafkaBootstrap'));
const log = new SessionLog(cluster, { requestTimeoutMs: 20_000 });
beforeAll(async () => {
  log.start();
  await until('the session log is read', () => log.isLoaded);
});
afterAll(async () => {
  await Promise.all([east.close(), west.close(), log.close()]);
  await cluster.close();
});

interface Asked {
  bridge?: TestBridge;
  /** `undefined`: anonymous. */
  principal?: string | undefined;
  topics?: Partial<TopicPatterns>;
  body?: unknown;
  headers?: Record<string, string>;
}

/** As a gateway asks. */
function ask(
  method: string,
  path: string,
  { bridge = east as TestBridge, principal, topics, body, headers }: Asked = {},
): Promise<JsonAnswer> {
  const filter = topics && formatTopicFilter({ allow: topics.allow ?? [], deny: topics.deny ?? [] });
  return bridge.request(method, path, {
    headers: {
      'causeway-gateway': 'test',
      ...PROOF,
      ...(principal === undefined ? {} : { 'causeway-principal': principal }),
      ...(filter === undefined ? {} : { 'causeway-topics': filter }),
      ...(body === undefined ? {} : { 'content-type': 'application/vnd.kafka.v2+json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

class Consumer {
  readonly group = unique('group');
  readonly name = 'c';
  readonly principal: string | undefined;
  /** Where it lives. */
  bridge = east as TestBridge;

  constructor(principal: string | undefined) {
    this.principal = principal;
  }

  static async create(principal: string | undefined, options: object = {}): Promise<Consumer> {
    const consumer = new Consumer(principal);
    const created = await consumer.creates({ principal }, options);
    expect(created.status).toBe(200);
    return consumer;
  }

  creates(asked: Asked, options: object = {}): Promise<JsonAnswer> {
    const body = { name: this.name, format: 'json', 'auto.offset.reset': 'earliest', ...options };
    return ask('POST', `/consumers/${this.group}`, { ...asked, body });
  }

  ask(method: string, rest: string, asked: Asked = {}): Promise<JsonAnswer> {
    const path = `/consumers/${this.group}/instances/${this.name}${rest}`;
    return ask(method, path, { bridge: this.bridge, principal: this.principal, ...asked });
  }

  async subscribe(body: object, topics?: Partial<TopicPatterns>): Promise<void> {
    expect(await this.ask('POST', '/subscription', { body, ...(topics && { topics }) })).toMatchObject({ status: 204 });
  }

  poll(topics?: Partial<TopicPatterns>, { timeoutMs = 20_000, headers = {} } = {}): Promise<JsonAnswer> {
    return this.ask('GET', `/records?timeout=${timeoutMs}`, { ...(topics && { topics }), headers });
  }

  /** Topics of the records of polls until there are records of each of `topics`. */
  async topicsRead(topics: readonly string[], access: Partial<TopicPatterns>): Promise<Set<string>> {
    const read = new Set<string>();
    while (!topics.every((topic) => read.has(topic))) {
      const { status, body, text } = await this.poll(access, { timeoutMs: 1000 });
      expect(status, text).toBe(200);
      for (const { topic } of body) read.add(topic);
    }
    return read;
  }

  get logged(): LoggedEntry | undefined {
    return log.get({ group: this.group, name: this.name });
  }
}

const NO_RECORDS_MS = 300;

async function topicWith(name: string, ...values: string[]): Promise<string> {
  await kafka.createTopic(name, 1);
  if (values.length > 0) {
    const stored = await (east as TestBridge).produce(name, { records: values.map((value) => ({ value })) });
    expect(stored.status).toBe(200);
  }
  return name;
}

describe('a consumer belongs to the principal that created it', () => {
  const partitions = [{ topic: 't', partition: 0 }];
  const offsets = [{ topic: 't', partition: 0, offset: 0 }];
  const bodies: Partial<Record<string, unknown>> = {
    subscribe: { topics: ['t'] },
    assign: { partitions },
    commit: { offsets },
    seek: { offsets },
    seekToBeginning: { partitions },
    seekToEnd: { partitions },
  };
  const operations = OPERATIONS.filter(({ path }) => path.includes('{instance}'));

  test('another one gets 403 for every operation, at every bridge, whatever its gateway says, and changes nothing', async () => {
    const topic = await topicWith(unique('topic'), 'a', 'b');
    const alice = await Consumer.create('alice', { 'enable.auto.commit': false });
    await alice.subscribe({ topics: [topic] });
    const delivery = await alice.poll(undefined, { headers: { 'causeway-delivered': 'none' } });
    expect(delivery.body).toHaveLength(2);
    const mark = (delivery.headers.get('causeway-delivery') ?? '').split(/[;, ]/)[0] ?? '';
    expect(mark).not.toBe('');
    await until('the log has its principal', () => alice.logged?.value.principal === 'alice');
    const before = alice.logged;
    const strangers = ['bob', 'Alice', 'alice2', undefined];
    const says = [{}, EAST_FAILED, { 'causeway-release': 'drain' }, { 'causeway-delivered': mark }];
    for (const { operation, method, path } of operations) {
      const rest = path.slice(path.indexOf('{instance}') + '{instance}'.length);
      for (const bridge of [east, west] as TestBridge[]) {
        for (const [index, headers] of says.entries()) {
          const principal = strangers[index % strangers.length];
          const body = bodies[operation];
          const answer = await alice.ask(method, rest, { bridge, principal, headers, ...(body ? { body } : {}) });
          const message = `${principal ?? 'anonymous'} may not use consumer c in group ${alice.group}`;
          expect({ operation, ...answer.body }).toEqual({ operation, error_code: 403, message });
        }
      }
    }
    // Without a gateway, too.
    const direct = await (west as TestBridge).get(`/consumers/${alice.group}/instances/c/records`);
    expect(direct.status).toBe(403);
    expect(alice.logged).toEqual(before);
    // The delivery is not confirmed: it comes again.
    expect((await alice.poll(undefined, { headers: { 'causeway-delivered': 'none' } })).body).toHaveLength(2);
  });

  test('also after another bridge has adopted it, and the old one is asked', async () => {
    const topic = await topicWith(unique('topic'), 'a');
    const alice = await Consumer.create('alice');
    await alice.subscribe({ topics: [topic] });
    alice.bridge = west as TestBridge;
    expect((await alice.poll(undefined, { headers: EAST_FAILED })).body).toHaveLength(1);
    for (const bridge of [east, west] as TestBridge[]) {
      for (const principal of ['bob', undefined]) {
        const failed = { 'causeway-failed': `${region}/${bridge === east ? 'west' : 'east'}` };
        expect((await alice.ask('GET', '/records', { bridge, principal, headers: failed })).status).toBe(403);
        expect((await alice.ask('DELETE', '', { bridge, principal, headers: failed })).status).toBe(403);
      }
    }
    await until('it lives at west', () => alice.logged?.value.owner === `${region}/west`);
    expect((await alice.ask('DELETE', '')).status).toBe(204);
  });

  test('others cannot create one of its name, also while its bridge is gone, but after its end', async () => {
    const alice = await Consumer.create('alice');
    for (const principal of ['bob', undefined]) {
      for (const bridge of [east, west] as TestBridge[]) {
        expect(await alice.creates({ bridge, principal, headers: EAST_FAILED })).toMatchObject({
          status: 403,
          body: { message: `${principal ?? 'anonymous'} may not use consumer c in group ${alice.group}` },
        });
      }
    }
    // A gateway moves it, and leaves it without an owner. Not by fetch(), which repeats a request that is answered 421.
    const { statusCode } = await request(`${alice.bridge.url}/consumers/${alice.group}/instances/c/subscription`, {
      headers: { 'causeway-gateway': 'test', ...PROOF, 'causeway-principal': 'alice', 'causeway-release': 'drain' },
    });
    expect(statusCode).toBe(421);
    await until('it is released', () => alice.logged?.value.state === 'released');
    expect((await alice.creates({ bridge: west, principal: 'bob' })).status).toBe(403);
    expect((await alice.ask('GET', '/subscription', { bridge: west, principal: 'bob' })).status).toBe(403);
    expect((await alice.ask('DELETE', '', { bridge: west })).status).toBe(204);
    expect((await alice.creates({ bridge: west, principal: 'bob' })).status).toBe(200);
    expect((await alice.ask('GET', '/subscription', { bridge: west })).status).toBe(403);
  });

  test('one that was created without a principal is everyone’s', async () => {
    const shared = await Consumer.create(undefined);
    expect((await shared.ask('GET', '/subscription', { principal: 'alice' })).status).toBe(200);
    expect((await shared.ask('DELETE', '', { principal: 'bob' })).status).toBe(204);
  });
});

describe('topics that a principal may not use', () => {
  const own = unique('own');
  const foreign = unique('foreign');
  const access: TopicPatterns = { allow: [`${own}*`], deny: [`${own}-secret*`] };
  const unknown = `${foreign}-unknown`;
  const secret = `${own}-secret`;
  beforeAll(async () => {
    await Promise.all([topicWith(own, 'a'), topicWith(foreign, 'a'), topicWith(secret, 'a')]);
  });

  const list = (topic: string) => [{ topic, partition: 0 }];
  const offsets = (topic: string) => [
    { topic: own, partition: 0, offset: 0 },
    { topic, partition: 0, offset: 0 },
  ];
  test.each([
    ['subscribe', 'POST', '/subscription', (topic: string) => ({ topics: [own, topic] }), 204],
    ['assign', 'POST', '/assignments', (topic: string) => ({ partitions: [...list(own), ...list(topic)] }), 204],
    ['commit', 'POST', '/offsets', (topic: string) => ({ offsets: offsets(topic) }), 204],
    ['seek', 'POST', '/positions', (topic: string) => ({ offsets: offsets(topic) }), 404],
    ['seekToBeginning', 'POST', '/positions/beginning', (topic: string) => ({ partitions: list(topic) }), 404],
    ['seekToEnd', 'POST', '/positions/end', (topic: string) => ({ partitions: list(topic) }), 404],
  ])('%s: the same 403 for one that exists and one that does not', async (_, method, rest, bodyOf, permitted) => {
    const alice = await Consumer.create('alice');
    for (const topic of [foreign, unknown, secret, own.toUpperCase(), ` ${own}`]) {
      const answer = await alice.ask(method, rest, { topics: access, body: bodyOf(topic) });
      expect(answer.body).toEqual({ error_code: 403, message: `alice may not consume topic ${topic}` });
    }
    expect(await alice.ask(method, rest, { topics: access, body: bodyOf(own) })).toMatchObject({ status: permitted });
  });

  test('are not created, and not listed', async () => {
    const create = (topic_name: string) =>
      ask('POST', '/admin/topics', { principal: 'alice', topics: access, body: { topic_name } });
    const message = (topic: string) => ({ error_code: 403, message: `alice may not create topic ${topic}` });
    expect((await create(foreign)).body).toEqual(message(foreign));
    expect((await create(unknown)).body).toEqual(message(unknown));
    expect((await create(`${own}-new`)).status).toBe(201);
    const names = async (asked: Asked) => (await ask('GET', '/topics', asked)).body as string[];
    expect((await names({ topics: access })).sort()).toEqual([own, `${own}-new`]);
    expect(await names({ topics: {} })).toEqual([]);
    expect(await names({})).toEqual(expect.arrayContaining([own, foreign, secret]));
  });

  test('a pattern matches none of them: not at first, not when they are created later, not after an adoption', async () => {
    const prefix = unique('pattern');
    const allow = [`${prefix}-a*`];
    await Promise.all([topicWith(`${prefix}-a1`, 'a'), topicWith(`${prefix}-b1`, 'b')]);
    const alice = await Consumer.create('alice');
    await alice.subscribe({ topic_pattern: `${prefix}-.*` }, { allow });
    expect(await alice.topicsRead([`${prefix}-a1`], { allow })).toEqual(new Set([`${prefix}-a1`]));
    await Promise.all([topicWith(`${prefix}-b2`, 'b'), topicWith(`${prefix}-a2`, 'a')]);
    expect(await alice.topicsRead([`${prefix}-a2`], { allow })).toEqual(new Set([`${prefix}-a2`]));
    alice.bridge = west as TestBridge;
    await alice.poll({ allow }, { timeoutMs: 100, headers: EAST_FAILED });
    await Promise.all([topicWith(`${prefix}-b3`, 'b'), topicWith(`${prefix}-a3`, 'a')]);
    expect(await alice.topicsRead([`${prefix}-a3`], { allow })).toEqual(new Set([`${prefix}-a3`]));
    const { body } = await alice.ask('GET', '/subscription', { topics: { allow } });
    expect(body.topics.sort()).toEqual([1, 2, 3].map((number) => `${prefix}-a${number}`));
  });

  test('rules that change reach a pattern that is subscribed: narrower ones at once, wider ones soon', async () => {
    const prefix = unique('pattern');
    const [first, second] = [`${prefix}-a`, `${prefix}-b`];
    await Promise.all([topicWith(first, 'a'), topicWith(second, 'b')]);
    const alice = await Consumer.create('alice');
    const [both, narrow] = [{ allow: [`${prefix}*`] }, { allow: [first] }];
    await alice.subscribe({ topic_pattern: `${prefix}.*` }, both);
    await alice.topicsRead([first, second], both);
    await Promise.all(
      [first, second].map((topic) => (east as TestBridge).produce(topic, { records: [{ value: 'x' }] })),
    );
    expect(await alice.topicsRead([first], narrow)).toEqual(new Set([first]));
    expect((await alice.poll(narrow, { timeoutMs: NO_RECORDS_MS })).body).toEqual([]);
    expect(await alice.topicsRead([second], both)).toEqual(new Set([second]));
  });

  test.each([
    ['subscribed', '/subscription', (topics: string[]) => ({ topics })],
    [
      'assigned',
      '/assignments',
      (topics: string[]) => ({ partitions: topics.map((topic) => ({ topic, partition: 0 })) }),
    ],
  ])(
    'a poll of %s topics is 403 when one is no longer permitted, and sends none of its records',
    async (_, rest, bodyOf) => {
      const prefix = unique('chosen');
      const [first, second] = [`${prefix}-a`, `${prefix}-b`];
      await Promise.all([topicWith(first, 'a'), topicWith(second, 'b')]);
      const alice = await Consumer.create('alice');
      const [both, narrow] = [{ allow: [first, second] }, { allow: [first] }];
      expect((await alice.ask('POST', rest, { topics: both, body: bodyOf([first, second]) })).status).toBe(204);
      // Fetched, and not sent.
      expect((await alice.ask('GET', '/records?timeout=20000&max_bytes=1', { topics: both })).status).toBe(422);
      const forbidden = { error_code: 403, message: `alice may not consume topic ${second}` };
      expect((await alice.poll(narrow)).body).toEqual(forbidden);
      // Another bridge, which reads the subscription from the log, forbids it as well.
      alice.bridge = west as TestBridge;
      expect((await alice.poll(narrow, { headers: EAST_FAILED })).body).toEqual(forbidden);
      expect((await alice.topicsRead([first, second], both)).size).toBe(2);
      expect((await alice.poll(narrow)).body).toEqual(forbidden);
      await alice.ask('DELETE', '/subscription', { topics: narrow });
      await alice.subscribe({ topics: [first] }, narrow);
      expect((await alice.poll(narrow, { timeoutMs: NO_RECORDS_MS })).status).toBe(200);
    },
  );

  test('positions and commits show none of them, and a seek of all partitions moves none', async () => {
    const prefix = unique('positions');
    const [first, second] = [`${prefix}-a`, `${prefix}-b`];
    await Promise.all([topicWith(first, 'a'), topicWith(second, 'b')]);
    const alice = await Consumer.create('alice');
    const [both, narrow] = [{ allow: [first, second] }, { allow: [first] }];
    const partitions = [first, second].map((topic) => ({ topic, partition: 0 }));
    expect((await alice.ask('POST', '/assignments', { topics: both, body: { partitions } })).status).toBe(204);
    await alice.topicsRead([first, second], both);
    expect((await alice.ask('POST', '/offsets', { topics: both })).status).toBe(204);
    const topicsAt = async (rest: string, topics: Partial<TopicPatterns>): Promise<string[]> => {
      const { body } = await alice.ask('GET', rest, { topics });
      return body.offsets.map(({ topic }: { topic: string }) => topic).sort();
    };
    for (const rest of ['/positions', '/offsets']) {
      expect(await topicsAt(rest, both)).toEqual([first, second]);
      expect(await topicsAt(rest, narrow)).toEqual([first]);
    }
    const seek = (end: string, topics: Partial<TopicPatterns>) =>
      alice.ask('POST', `/positions/${end}`, { topics, body: { partitions: [] } });
    expect((await seek('beginning', both)).status).toBe(204);
    expect((await seek('end', narrow)).status).toBe(204);
    expect(await alice.topicsRead([second], both)).toEqual(new Set([second]));
  });

  test('a poll that waits sends no record of a topic that a later request shows to be forbidden', async () => {
    const topic = await topicWith(unique('waiting'));
    const alice = await Consumer.create('alice');
    const access = { allow: [topic] };
    await alice.subscribe({ topics: [topic] }, access);
    await alice.poll(access, { timeoutMs: NO_RECORDS_MS });
    // Longer than the test may take.
    const waiting = alice.poll(access, { timeoutMs: 120_000 });
    expect((await alice.ask('GET', '/positions', { topics: { allow: ['other'] } })).status).toBe(200);
    await (east as TestBridge).produce(topic, { records: [{ value: 'x' }] });
    expect((await waiting).body).toEqual({ error_code: 403, message: `alice may not consume topic ${topic}` });
    expect((await alice.poll(access)).body).toHaveLength(1);
  });
});

describe('consumers that a principal may have in the whole system', () => {
  const creates = async (
    principal: string,
    { bridge, name = unique('c'), max = 3 }: { bridge?: TestBridge | undefined; name?: string; max?: number } = {},
  ): Promise<JsonAnswer> => {
    const headers = { 'causeway-max-consumers': String(max) };
    return await ask('POST', '/consumers/counted', { bridge: bridge ?? east, principal, body: { name }, headers });
  };

  test('are counted over all bridges, until they are deleted', async () => {
    const [alice, bob] = [unique('alice'), unique('bob')];
    const name = unique('c');
    expect((await creates(alice, { name })).status).toBe(200);
    expect((await creates(alice, { bridge: west })).status).toBe(200);
    expect((await creates(alice)).status).toBe(200);
    for (const bridge of [east, west]) {
      const refused = await creates(alice, { bridge });
      expect([refused.status, refused.headers.get('retry-after'), refused.body]).toEqual([
        429,
        '10',
        {
          error_code: 429,
          message: 'The quota maxConsumers (3) is used up: delete a consumer, or wait until one has expired.',
        },
      ]);
    }
    // What the client may have created before without learning of it.
    expect((await creates(alice, { name })).status).toBe(409);
    expect((await creates(bob)).status).toBe(200);
    expect((await creates(alice, { max: 4 })).status).toBe(200);
    expect((await ask('DELETE', `/consumers/counted/instances/${name}`, { principal: alice })).status).toBe(204);
    expect((await creates(alice)).status).toBe(429);
    expect((await creates(alice, { bridge: west, max: 4 })).status).toBe(200);
  });

  test('are not exceeded by requests that come to one bridge at the same moment', async () => {
    const alice = unique('alice');
    const statuses = (await Promise.all(Array.from({ length: 12 }, () => creates(alice)))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(statuses.filter((status) => status === 429)).toHaveLength(9);
  });

  test('are at most so many at each bridge when requests come to several at the same moment', async () => {
    const alice = unique('alice');
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => creates(alice, { bridge: index % 2 === 0 ? east : west })),
    );
    const createdCount = answers.filter(({ status }) => status === 200).length;
    expect(createdCount).toBeGreaterThanOrEqual(3);
    expect(createdCount).toBeLessThanOrEqual(6);
    expect((await creates(alice, { bridge: west })).status).toBe(429);
  });

  test('move without being counted again', async () => {
    const alice = unique('alice');
    const name = unique('c');
    await creates(alice, { name, max: 2 });
    const subscription = { principal: alice, bridge: west, headers: EAST_FAILED };
    await ask('GET', `/consumers/counted/instances/${name}/subscription`, subscription);
    expect((await creates(alice, { max: 2 })).status).toBe(200);
    expect((await creates(alice, { max: 2 })).status).toBe(429);
  });
});

/**
 * Two tenants on one Kafka: every operation of the API, crossed with own, foreign and unknown topics, groups and consumers, by each
 * method of authentication, with every region up and after a failover.
 */
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { entryOf, type NamedOperation, OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { until } from '../harness/until.ts';
import { cells } from './cells.ts';
import { Load, TenantClient } from './client.ts';
import { METHODS, type Method } from './credentials.ts';
import { runMatrix } from './matrix.ts';
import { Names, type Pass } from './names.ts';
import { NOTHING, OPERATION_NAMES, ROWS, requestOf } from './operations.ts';
import { TenantSystem } from './system.ts';

let system: TenantSystem;
let names: Names;
beforeAll(async () => {
  system = await TenantSystem.start(inject('kafkaBootstrap'));
  names = new Names(system.run);
  await ensureTopics(
    inject('kafkaBootstrap'),
    names.topics.map((name) => ({ name, partitionCount: 1 })),
  );
}, 300_000);
afterAll(() => system?.close());

/** Both tenants, by one method. */
function clients(method: Method): { alice: TenantClient; bob: TenantClient } {
  return { alice: new TenantClient(system, 'alice', method), bob: new TenantClient(system, 'bob', method) };
}

async function expectMatrix(pass: Pass): Promise<void> {
  const { count, wrong, leaks, refusals } = await runMatrix(system, names, pass);
  expect(wrong).toEqual([]);
  expect(count).toBe(cells().length);
  expect(leaks).toEqual([]);
  expect(Object.values(refusals).filter((texts) => texts.length > 1)).toEqual([]);
}

const isManagement = (operation: NamedOperation): boolean => entryOf(operation).kind === 'management';

/** Whether every operation on bob's consumer is forbidden for alice. */
async function expectRefusals(method: Method): Promise<void> {
  const named = { ...names.bobs(method), topics: [names.of('alice', 'orders')] };
  for (const operation of OPERATION_NAMES.filter((name) => entryOf(name).path.includes('{instance}'))) {
    const { status, text } = await system.send('alice', method, requestOf(operation, named));
    expect({ operation, status, text }).toEqual({ operation, status: 403, text: expect.any(String) });
  }
}

/** Of alice, by each method. */
function startTraffic(): Load[] {
  return METHODS.map((method) => new Load(clients(method).alice, names.of('alice', 'orders')));
}

/** After some more requests. Errors: of a request that failed. */
async function stopTraffic(traffic: readonly Load[]): Promise<void> {
  for (const load of traffic) {
    const before = load.count;
    await until('further requests succeed', () => load.isOver || load.count > before + 2);
    await load.stop();
  }
}

test('every operation has a row', () => {
  expect(OPERATION_NAMES.toSorted()).toEqual(OPERATIONS.map(({ operation }) => operation).toSorted());
  expect(new Set(cells().map(({ operation }) => operation)).size).toBe(OPERATIONS.length);
});

describe.each(METHODS)('two tenants by %s', (method) => {
  test('each has consumers', async () => {
    const { alice, bob } = clients(method);
    const after = names.alices({ method, phase: 'after' });
    await alice.createConsumer(names.alices({ method, phase: 'before' }));
    await alice.createConsumer(after);
    await alice.send(requestOf('assign', after));
    // Of the same name in a group of bob's own, which alice may not use.
    await bob.createConsumer(names.bobs(method, 'bob'));
    await bob.createConsumer(names.bobs(method));
    await bob.send(requestOf('subscribe', names.bobs(method)));
    await bob.produce(names.bobsTopic(method), 'first');
    expect(await bob.take(names.bobs(method))).toMatchObject([{ value: 'first' }]);
    await bob.sendBody('commit', names.bobs(method), {
      offsets: [{ topic: names.bobsTopic(method), partition: 0, offset: 1 }],
    });
  });

  test('every operation succeeds with what is own, and is forbidden with all else', async () => {
    await expectMatrix({ method, phase: 'before' });
  });

  test('a list of topics has only those that the tenant may see', async () => {
    const { text } = await clients(method).alice.send(requestOf('listTopics', NOTHING));
    const topics = JSON.parse(text) as string[];
    expect(topics).toContain(names.of('alice', 'orders'));
    expect(topics.filter((topic) => !names.isAlices(topic))).toEqual([]);
  });

  test('a pattern matches only topics that the tenant may read', async () => {
    const { alice, bob } = clients(method);
    const named = names.patterns(method);
    await alice.createConsumer(named);
    await alice.sendBody('subscribe', named, { topic_pattern: '.*' });
    await bob.produce(names.of('bob', 'more'), 'not for alice');
    await alice.produce(names.of('alice', 'more'), method);
    const records = await alice.takeUntil(named, method);
    expect(records.filter(({ topic }) => !names.isAlices(topic))).toEqual([]);
    const subscription = await alice.subscription(named);
    expect(subscription).toContain(names.of('alice', 'orders'));
    expect(subscription.filter((topic) => !names.isAlices(topic))).toEqual([]);
  });
});

describe('clients without valid credentials', () => {
  test.each<[string, Record<string, string>]>([
    ['none', {}],
    ['an unsigned token', { authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.' }],
    ['a wrong key', { 'x-api-key': 'guessed' }],
    ['a header of gateways', { 'causeway-principal': 'alice', 'causeway-secret': 'guessed' }],
  ])('%s: 401 for every operation but health', async (_, headers) => {
    const found: Record<string, number> = {};
    for (const operation of OPERATION_NAMES) {
      const request = requestOf(operation, names.alices({ method: 'jwt', phase: 'after' }));
      const { status, text, challenge } = await system.ask(request, headers);
      found[operation] = status;
      if (status !== 401) continue;
      expect(JSON.parse(text)).toEqual({ error_code: 401, message: expect.any(String) });
      expect(challenge).toContain('Bearer realm=');
    }
    const expected = OPERATION_NAMES.map((name) => [name, isManagement(name) ? (ROWS[name].status ?? 200) : 401]);
    expect(found).toEqual(Object.fromEntries(expected));
  });

  test('regional gateways know the tenants, too', async () => {
    const { url } = system.system.stack.regions.east.gateway;
    const list = requestOf('listTopics', NOTHING);
    expect(await system.ask(list, {}, url)).toMatchObject({ status: 401 });
    const { status, text } = await system.ask(list, system.credentials.headers('alice', 'jwt'), url);
    expect({ status, others: names.othersIn(text) }).toEqual({ status: 200, others: [] });
  });

  test('a client does not become another by a header', async () => {
    const named = { ...names.alices({ method: 'jwt', phase: 'after' }), topics: [names.of('bob', 'orders')] };
    const headers = {
      ...system.credentials.headers('alice', 'jwt'),
      'causeway-principal': 'bob',
      'causeway-topics': 'allow=*;deny=',
    };
    for (const operation of ['send', 'subscribe', 'assign'] as const) {
      expect(await system.ask(requestOf(operation, named), headers)).toMatchObject({ status: 403 });
    }
  });
});

test('no request fails while all credentials are replaced, and old keys end', async () => {
  const { credentials } = system;
  const list = requestOf('listTopics', NOTHING);
  const traffic = startTraffic();
  await credentials.rotateTokens();
  const oldKey = await credentials.replaceKeys(async (headers) => (await system.ask(list, headers)).status === 200);
  await credentials.renewCertificates();
  await until('the old key is unknown', async () => (await system.ask(list, oldKey)).status === 401);
  await stopTraffic(traffic);
});

describe('after a failover', () => {
  test('no request fails while the region dies', async () => {
    const traffic = startTraffic();
    await system.system.stack.killRegion('east');
    await stopTraffic(traffic);
  });

  describe.each(METHODS)('two tenants by %s', (method) => {
    test("a stranger's consumer is refused before its adoption and after it, and misses nothing", async () => {
      const { bob } = clients(method);
      await bob.produce(names.bobsTopic(method), 'second');
      await expectRefusals(method);
      expect(await bob.take(names.bobs(method))).toMatchObject([{ value: 'second' }]);
      await expectRefusals(method);
      expect(await system.operatorsView(names.bobs(method).group)).toMatchObject([
        { principal: 'bob', home: 'west/bridge', adoptions: 1 },
      ]);
    });

    test('every operation succeeds with what is own, and is forbidden with all else', async () => {
      await expectMatrix({ method, phase: 'after' });
    });

    test('a pattern matches only topics that the tenant may read', async () => {
      const { alice, bob } = clients(method);
      await bob.produce(names.of('bob', 'more'), 'not for alice');
      await alice.produce(names.of('alice', 'more'), `${method} again`);
      const records = await alice.takeUntil(names.patterns(method), `${method} again`);
      expect(records.filter(({ topic }) => !names.isAlices(topic))).toEqual([]);
    });
  });
});

/** Consumers that outlive their bridge: two bridges over one Kafka, asked as clients and as gateways ask. */
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { valueIn } from '../../../test/harness/exposition.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { within } from '../src/kafka/client/limits.ts';
import type { EntryValue, LoggedEntry } from '../src/ownership/session-entry.ts';
import { SessionLog } from '../src/ownership/session-log.ts';

let kafka: KafkaView;
let east: TestBridge;
let west: TestBridge;
let topic: string;
let group: string;
/** As gateways know them: bridges of other tests have other names. */
let region: string;

beforeEach(async () => {
  const bootstrap = inject('kafkaBootstrap');
  kafka = await KafkaView.connect(bootstrap);
  region = unique('region');
  [east, west] = await Promise.all([
    TestBridge.start(bootstrap, { bridge: { name: 'east', region } }),
    TestBridge.start(bootstrap, { bridge: { name: 'west', region } }),
  ]);
  topic = unique('survival');
  await kafka.createTopic(topic, 1);
  group = unique('group');
});
afterEach(async () => {
  await Promise.all([east.close(), west.close()]);
  await kafka.close();
});

const path = (rest: string): string => `/consumers/${group}/instances/c${rest}`;
const asGateway = (headers: Record<string, string> = {}): Record<string, string> => ({
  'causeway-gateway': 'test',
  ...PROOF,
  ...headers,
});

async function create(bridge: TestBridge, options: object = {}): Promise<void> {
  const created = await bridge.post(`/consumers/${group}`, {
    name: 'c',
    format: 'json',
    'auto.offset.reset': 'earliest',
    ...options,
  });
  expect(created.status).toBe(200);
}

async function subscribe(bridge: TestBridge, body: object = { topics: [topic] }): Promise<void> {
  expect((await bridge.post(path('/subscription'), body)).status).toBe(204);
}

async function produce(...values: string[]): Promise<void> {
  const { body } = await east.produce(topic, { records: values.map((value) => ({ value })) });
  expect(body.offsets.every(({ offset }: { offset?: number }) => offset !== undefined)).toBe(true);
}

async function poll(
  bridge: TestBridge,
  headers: Record<string, string> = {},
): Promise<{ status: number; values: unknown[]; owner: unknown; delivery: string | undefined }> {
  // Not by fetch(), which repeats a request that is answered 421.
  const answer = await request(`${bridge.url}${path('/records?timeout=20000')}`, { headers });
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    values: answer.statusCode === 200 ? JSON.parse(text).map(({ value }: { value: unknown }) => value) : [],
    owner: answer.headers['causeway-owner'],
    delivery: answer.headers['causeway-delivery'] as string | undefined,
  };
}

/** Longer than a bridge that has other work takes to hand over, and too short to be waited for by a client. */
const LONG_LEASE_MS = 10_000;

/** Runs with a session log of the test's own, which has read the consumer's entry. */
async function withLog(run: (log: SessionLog, entry: LoggedEntry) => Promise<void>): Promise<void> {
  const cluster = testCluster(inject('kafkaBootstrap'));
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000 });
  log.start();
  try {
    const identity = { group, name: 'c' };
    await until('the session is read', () => log.isLoaded && log.get(identity)?.value.state === 'held');
    const entry = log.get(identity);
    if (entry === undefined) throw new Error('no session');
    await run(log, entry);
  } finally {
    await log.close();
    await cluster.close();
  }
}

/** The session's claim stays, with another lease. */
async function lengthenLease(): Promise<void> {
  await withLog(async (log, entry) => {
    const longer = { ...entry.value, leaseMs: LONG_LEASE_MS, claimedAtOffset: String(entry.claimedAtOffset) };
    expect(await log.append(entry.identity, entry, longer, within(20_000))).toMatchObject({ kind: 'stored' });
  });
}

describe('asked by clients', () => {
  test('a consumer continues at another bridge where it was, without a record lost or a second create', async () => {
    await create(east);
    await subscribe(east);
    await produce('a');
    expect(await poll(east)).toMatchObject({ values: ['a'] });
    await produce('b');
    // The poll that says that "a" was received is made elsewhere: it may come again, and nothing after it is missed.
    const first = await poll(west);
    const values = first.values.includes('b') ? first.values : [...first.values, ...(await poll(west)).values];
    expect(values).toEqual(['a', 'b']);
    await produce('c');
    expect(await poll(west)).toMatchObject({ status: 200, values: ['c'] });
  });

  test('one that was never created, or that was deleted elsewhere, is not found', async () => {
    expect((await poll(east)).status).toBe(404);
    await create(east);
    await subscribe(east);
    expect((await west.request('DELETE', path(''))).status).toBe(204);
    expect((await poll(east)).status).toBe(404);
    expect((await poll(west)).status).toBe(404);
  });

  test('a name that lives on another bridge is taken', async () => {
    await create(east);
    expect((await west.post(`/consumers/${group}`, { name: 'c' })).status).toBe(409);
    expect((await east.get(path('/subscription'))).status).toBe(200);
  });
});

describe('asked by gateways', () => {
  test('a consumer of another bridge is misdirected, and taken over when its owner failed', async () => {
    await create(east);
    await subscribe(east);
    await produce('a');
    expect(await poll(east, asGateway())).toMatchObject({ status: 200, values: ['a'] });
    expect(await poll(west, asGateway())).toMatchObject({ status: 421, owner: `${region}/east` });
    const failed = asGateway({ 'causeway-failed': `${region}/east` });
    expect(await poll(west, failed)).toMatchObject({ status: 200, values: ['a'] });
    expect(await poll(east, asGateway())).toMatchObject({ status: 421, owner: `${region}/west` });
  });

  test.each<[what: string, options: object, isAssigned: boolean]>([
    ['of its group', {}, false],
    ['that commits itself', { 'enable.auto.commit': false }, false],
    ['of partitions that its client chose', {}, true],
  ])(
    'an owner that lives reports where the client of a consumer %s is to the bridge that takes it over',
    async (_, options, isAssigned) => {
      await create(east, options);
      if (isAssigned) await east.post(path('/assignments'), { partitions: [{ topic, partition: 0 }] });
      else await subscribe(east);
      await produce('a', 'b');
      const first = await poll(east, asGateway({ 'causeway-delivered': '0' }));
      expect(first).toMatchObject({ values: ['a', 'b'] });
      await produce('c');
      await lengthenLease();
      const failed = { 'causeway-failed': `${region}/east` };
      const delivered = { 'causeway-delivered': first.delivery?.split(';')[0] ?? '' };
      const second = await poll(west, asGateway({ ...failed, ...delivered }));
      expect(second).toMatchObject({ status: 200, values: ['c'] });
      await lengthenLease();
      // What no gateway says was received comes again.
      const back = { 'causeway-failed': `${region}/west`, 'causeway-delivered': '0' };
      expect(await poll(east, asGateway(back))).toMatchObject({ status: 200, values: ['c'] });
    },
  );

  test('an adoption is measured, and its stages are parts of it', async () => {
    await create(east);
    await subscribe(east);
    await produce('one');
    expect(await poll(west, asGateway({ 'causeway-failed': `${region}/east` }))).toMatchObject({ values: ['one'] });
    const text = (await west.get('/metrics')).text;
    const whole = 'causeway_bridge_adoption_duration_seconds';
    const part = 'causeway_bridge_adoption_stage_duration_seconds';
    expect(valueIn(text, `${whole}_count`)).toBe(1);
    for (const stage of ['read', 'claim', 'wait', 'join']) {
      expect(valueIn(text, `${part}_count`, { stage })).toBe(1);
    }
    expect(valueIn(text, `${part}_sum`, { stage: 'wait' })).toBeGreaterThan(0);
    expect(valueIn(text, `${part}_sum`)).toBeCloseTo(valueIn(text, `${whole}_sum`), 6);
  });

  test('an owner that releases loses nothing and repeats nothing', async () => {
    await create(east);
    await subscribe(east);
    await produce('a');
    expect(await poll(east, asGateway())).toMatchObject({ values: ['a'] });
    expect(await poll(east, asGateway({ 'causeway-release': 'drain' }))).toMatchObject({
      status: 421,
      owner: undefined,
    });
    await produce('b');
    expect(await poll(west, asGateway())).toMatchObject({ status: 200, values: ['b'] });
  });

  test('an owner that releases repeats nothing to a client that commits itself, and now elsewhere', async () => {
    await create(east, { 'enable.auto.commit': false });
    await subscribe(east);
    await produce('a');
    expect(await poll(east, asGateway())).toMatchObject({ values: ['a'] });
    expect((await poll(east, asGateway({ 'causeway-release': 'drain' }))).status).toBe(421);
    await produce('b');
    expect((await west.request('POST', path('/offsets'), { headers: asGateway() })).status).toBe(204);
    expect(await poll(west, asGateway())).toMatchObject({ values: ['b'] });
  });

  test('a place that was kept for a consumer that commits itself goes with the partition, when others get that', async () => {
    const wide = unique('wide');
    await kafka.createTopic(wide, 2);
    await create(east, { 'enable.auto.commit': false });
    await subscribe(east, { topics: [wide] });
    const produceTo = (partition: number, value: string) =>
      east.produce(wide, { records: [{ value, partition }] }).then(({ status }) => expect(status).toBe(200));
    const take = async (bridge: TestBridge, count: number, headers = asGateway()): Promise<unknown[]> => {
      const values: unknown[] = [];
      await until('the records come', async () => {
        values.push(...(await poll(bridge, headers)).values);
        return values.length >= count;
      });
      return values.toSorted();
    };
    await Promise.all([produceTo(0, 'a0'), produceTo(1, 'b0')]);
    expect(await take(east, 2)).toEqual(['a0', 'b0']);
    // The places behind them are written, for the next bridge: nothing is committed.
    expect((await poll(east, asGateway({ 'causeway-release': 'drain' }))).status).toBe(421);
    await produceTo(0, 'a1');
    expect(await take(west, 1)).toEqual(['a1']);
    // Another consumer gets a partition, commits what it reads there, and goes.
    const other = await west.consumer(group, 'other', [wide], { 'enable.auto.commit': false });
    const partitionsOf = async (name: string): Promise<unknown[]> =>
      (await west.get(`/consumers/${group}/instances/${name}/subscription`)).body.partitions;
    await until('the other one has a partition', async () => {
      await Promise.all([other.poll('timeout=200'), west.get(path('/records?timeout=200'))]);
      return (await partitionsOf('other')).length > 0;
    });
    await Promise.all([produceTo(0, 'a2'), produceTo(1, 'b1')]);
    // The record from before may come first, alone: it was not committed.
    await until('the other one has read', async () => {
      const { body } = await other.poll('timeout=500');
      return body.some(({ value }: { value: unknown }) => value === 'a2' || value === 'b1');
    });
    await Promise.all([other.commit(), west.request('POST', path('/offsets'), { headers: asGateway() })]);
    await take(west, 1);
    expect((await west.request('POST', path('/offsets'), { headers: asGateway() })).status).toBe(204);
    await other.delete();
    await until('it has both partitions again', async () => {
      await west.get(path('/records?timeout=200'));
      return JSON.stringify(await partitionsOf('c')).includes('[0,1]');
    });
    await Promise.all([produceTo(0, 'a3'), produceTo(1, 'b2')]);
    expect(await take(east, 2, asGateway({ 'causeway-failed': `${region}/west` }))).toEqual(['a3', 'b2']);
  });

  test('a place that was kept is no more where another member has read and committed since', async () => {
    const brief = await TestBridge.start(inject('kafkaBootstrap'), {
      bridge: { name: 'brief', region },
      kafka: { sessionTimeoutMs: 6000 },
    });
    try {
      await create(brief, { 'enable.auto.commit': false });
      await subscribe(brief);
      await produce('a');
      expect(await poll(brief, asGateway())).toMatchObject({ values: ['a'] });
      expect((await poll(brief, asGateway({ 'causeway-release': 'drain' }))).status).toBe(421);
      await produce('b');
      // The partition goes to the other one when the group gives the absent member up.
      const other = await west.consumer(group, 'other', [topic], { 'enable.auto.commit': false });
      expect((await other.take(2)).map(({ value }) => value)).toEqual(['a', 'b']);
      expect((await other.commit()).status).toBe(204);
      await other.delete();
      await produce('c');
      expect(await poll(west, asGateway())).toMatchObject({ values: ['c'] });
    } finally {
      await brief.close();
    }
  });

  test('a bridge that stops hands its consumers over, and commits what their clients received', async () => {
    await create(east);
    await subscribe(east);
    await produce('a');
    expect(await poll(east, asGateway())).toMatchObject({ values: ['a'] });
    // Its response is in flight when the bridge stops, and the client polls again at once.
    await produce('b');
    expect(await poll(east, asGateway())).toMatchObject({ values: ['b'] });
    const closing = east.close();
    expect(await poll(east, asGateway())).toMatchObject({ status: 421, owner: undefined });
    await closing;
    await west.produce(topic, { records: [{ value: 'c' }] });
    const watch = new Stopwatch();
    expect(await poll(west, asGateway())).toMatchObject({ status: 200, values: ['c'] });
    // At once, and not when the poll's time is over.
    expect(watch.stop()).toBeLessThan(15_000);
  });

  test('a response that no gateway confirms comes again from another bridge when its bridge stops', async () => {
    await create(east);
    await subscribe(east);
    await produce('a');
    expect(await poll(east, asGateway())).toMatchObject({ values: ['a'] });
    await produce('b');
    expect(await poll(east, asGateway())).toMatchObject({ values: ['b'] });
    await east.close();
    expect(await poll(west, asGateway())).toMatchObject({ status: 200, values: ['b'] });
  });
});

describe('asked by gateways that confirm what they delivered', () => {
  const confirming = (delivered = '0'): Record<string, string> => asGateway({ 'causeway-delivered': delivered });
  const confirm = async (bridge: TestBridge, delivery: string | undefined): Promise<number> => {
    const [mark = ''] = (delivery ?? '').split(';');
    const options = { method: 'POST', headers: confirming(mark) } as const;
    const { statusCode, body } = await request(`${bridge.url}${path('/causeway-delivered')}`, options);
    await body.dump();
    return statusCode;
  };

  beforeEach(async () => {
    await create(east);
    await subscribe(east);
    await produce('a');
  });

  test('a delete that another bridge forestalls with its claim is misdirected to that bridge', async () => {
    let isForestalled = false;
    // A delete waits for the confirmation of the last answer: on a busy machine that may be over before the claim is written.
    for (let attempt = 0; attempt < 10 && !isForestalled; attempt += 1) {
      if (attempt > 0) {
        await create(east);
        await subscribe(east);
      }
      await produce('again');
      expect(await poll(east, confirming())).toMatchObject({ status: 200 });
      await withLog(async (log, entry) => {
        const deleting = request(`${east.url}${path('')}`, { method: 'DELETE', headers: asGateway() });
        await until(
          'the consumer is being deleted',
          async () => (await east.get(path('/subscription'))).status === 404,
        );
        const claim = { epoch: entry.epoch + 1, id: unique('claim') };
        const { claimedAtOffset: _, ...value } = entry.value;
        await log.append(entry.identity, claim, { ...value, owner: `${region}/west` } as EntryValue, within(20_000));
        await log.readToEnd(within(20_000));
        isForestalled = log.get(entry.identity)?.id === claim.id;
        const { statusCode, headers, body } = await deleting;
        await body.dump();
        expect(statusCode).toBe(isForestalled ? 421 : 204);
        if (isForestalled) expect(headers['causeway-owner']).toBe(`${region}/west`);
      });
    }
    expect(isForestalled).toBe(true);
    // The other bridge holds no session under the test's claim, and adopts it under the next.
    expect((await west.request('DELETE', path(''))).status).toBe(204);
    expect((await poll(east)).status).toBe(404);
  });

  test('an answer that died with its gateway comes again through another one', async () => {
    expect(await poll(east, confirming())).toMatchObject({ values: ['a'] });
    await produce('b');
    const watch = new Stopwatch();
    expect(await poll(east, confirming())).toMatchObject({ values: ['a'] });
    // Not when the poll's time is over.
    expect(watch.stop()).toBeLessThan(15_000);
  });

  test('an answer that the next request confirms does not', async () => {
    const { values, delivery } = await poll(east, confirming());
    expect(values).toEqual(['a']);
    await produce('b');
    // No request waited for a confirmation: gateways are not asked to hurry.
    const next = await poll(east, confirming(delivery));
    expect(next).toMatchObject({ values: ['b'], delivery: expect.stringMatching(/^\d+$/) });
  });

  test('a client that uses two gateways in turn continues when the other one confirms, which is asked to hurry', async () => {
    const first = await poll(east, confirming());
    await produce('b');
    const waiting = poll(east, confirming('1'));
    expect(await confirm(east, first.delivery)).toBe(204);
    const second = await waiting;
    expect(second).toMatchObject({ values: ['b'], delivery: expect.stringMatching(/^\d+;now$/) });
    expect(await confirm(east, second.delivery)).toBe(204);
    await produce('c');
    expect(await poll(east, confirming(first.delivery))).toMatchObject({ values: ['c'] });
  });

  test('a bridge that stops knows what was received without another request of the client', async () => {
    const { delivery } = await poll(east, confirming());
    await confirm(east, delivery);
    await east.close();
    await west.produce(topic, { records: [{ value: 'b' }] });
    expect(await poll(west, confirming(delivery))).toMatchObject({ values: ['b'] });
  });

  test('an unconfirmed delivery is not committed by the client, either', async () => {
    await poll(east, confirming());
    expect((await east.request('POST', path('/offsets'), { headers: confirming() })).status).toBe(204);
    const failed = asGateway({ 'causeway-failed': `${region}/east` });
    expect(await poll(west, failed)).toMatchObject({ values: ['a'] });
  });

  test('only gateways are heard', async () => {
    const { statusCode, body } = await request(`${east.url}${path('/causeway-delivered')}`, { method: 'POST' });
    await body.dump();
    expect(statusCode).toBe(404);
  });
});

describe('state that moves with the consumer', () => {
  test('a pattern', async () => {
    await create(east);
    await subscribe(east, { topic_pattern: `${topic}.*` });
    await produce('a');
    expect(await poll(west)).toMatchObject({ values: ['a'] });
  });

  test('an assignment, and a seek of a consumer that commits by itself', async () => {
    await produce('a', 'b', 'c');
    await create(east);
    expect((await east.post(path('/assignments'), { partitions: [{ topic, partition: 0 }] })).status).toBe(204);
    expect((await east.post(path('/positions'), { offsets: [{ topic, partition: 0, offset: 2 }] })).status).toBe(204);
    expect(await poll(west)).toMatchObject({ values: ['c'] });
  });

  test('an assignment of a partition that cannot be', async () => {
    await create(east);
    const partitions = [{ topic, partition: -1 }];
    expect((await east.post(path('/assignments'), { partitions })).status).toBe(204);
    expect((await west.get(path('/assignments'))).body).toEqual({ partitions: [{ partition: -1, topic }] });
  });

  test.each([
    ['exactly from the last commit', 1, undefined, ['b', 'c']],
    ['from where the client went since', 0, 2, ['c']],
  ])('without auto-commit the uncommitted comes again, %s', async (_, commitTo, seekTo, expected) => {
    await produce('a', 'b', 'c');
    await create(east, { 'enable.auto.commit': false });
    await subscribe(east);
    expect(await poll(east)).toMatchObject({ values: ['a', 'b', 'c'] });
    const offsets = (offset: number): object => ({ offsets: [{ topic, partition: 0, offset }] });
    expect((await east.post(path('/offsets'), offsets(commitTo))).status).toBe(204);
    if (seekTo !== undefined) expect((await east.post(path('/positions'), offsets(seekTo))).status).toBe(204);
    expect(await poll(west)).toMatchObject({ values: expected });
  });

  test('a commit after a seek is what counts', async () => {
    await produce('a', 'b', 'c');
    await create(east, { 'enable.auto.commit': false });
    await subscribe(east);
    await poll(east);
    const offsets = (offset: number): object => ({ offsets: [{ topic, partition: 0, offset }] });
    await east.post(path('/positions'), offsets(0));
    expect((await east.post(path('/offsets'), offsets(2))).status).toBe(204);
    expect(await poll(west)).toMatchObject({ values: ['c'] });
  });

  test('where a consumer began that starts at the end', async () => {
    await create(east, { 'auto.offset.reset': 'latest', 'enable.auto.commit': false });
    await subscribe(east);
    await until('it has its partition', async () => {
      expect((await east.get(path('/records?timeout=500'))).body).toEqual([]);
      return (await east.get(path('/subscription'))).body.partitions.length > 0;
    });
    // And its position, if that took longer.
    expect((await east.get(path('/records?timeout=3000'))).body).toEqual([]);
    await produce('a');
    expect(await poll(west)).toMatchObject({ values: ['a'] });
  });
});

describe('sessions that no client uses', () => {
  const QUICK = { consumers: { inactivityTimeoutMs: 3000 } };

  test('end, also when their owner is gone, and nothing resurrects them', async () => {
    // Other owners' sessions stay as long as these say.
    const owner = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name: 'owner', region }, ...QUICK });
    await create(owner);
    await subscribe(owner);
    await owner.close();
    const cluster = testCluster(inject('kafkaBootstrap'));
    const log = new SessionLog(cluster, { requestTimeoutMs: 20_000 });
    log.start();
    const sweeper = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name: 'sweeper', region }, ...QUICK });
    try {
      // Read, not asked for: a question would keep it alive.
      await until('the session is over', () => log.get({ group, name: 'c' })?.value.state === 'deleted');
      expect((await poll(west)).status).toBe(404);
    } finally {
      await sweeper.close();
      await log.close();
      await cluster.close();
    }
  });

  test('stay while their clients poll, however seldom anything of them is written', async () => {
    const [owner, other] = await Promise.all(
      ['owner', 'other'].map((name) =>
        TestBridge.start(inject('kafkaBootstrap'), { bridge: { name, region }, ...QUICK }),
      ),
    );
    if (owner === undefined || other === undefined) throw new Error('no bridges');
    try {
      await create(owner);
      await subscribe(owner);
      for (const startedAtMs = performance.now(); performance.now() - startedAtMs < 10_000; ) {
        expect((await owner.get(path('/records?timeout=100'))).status).toBe(200);
      }
    } finally {
      await Promise.all([owner.close(), other.close()]);
    }
  });
});

/**
 * Consumers move between two Kafka clusters that a real MirrorMaker replicates: in order, back again, and after a loss. None of them skips a record;
 * in order, none gets one twice.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JavaRuntime, resolveMirrorRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { Replication } from '@causeway/lab/stack/replication.ts';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestBridge, TestConsumer } from '../../../test/harness/bridge.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { hasDebianTool } from '../../../test/harness/debian-tool.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { writeInTransaction } from '../../../test/harness/transaction.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { remoteOffsets } from '../../../test/mirror/remote-offsets.ts';
import { within } from '../src/kafka/client/limits.ts';
import { listOffsets } from '../src/kafka/client/list-offsets.ts';
import { CheckpointTail } from '../src/replication/checkpoint-tail.ts';
import { SyncIndex } from '../src/replication/sync-index.ts';
import { SyncTail } from '../src/replication/sync-tail.ts';
import { readSpan } from '../src/replication/tail-reader.ts';
import { translateOffset } from '../src/replication/translate.ts';

const hasCompiler = hasDebianTool('javac', '-version', 'openjdk-17-jdk-headless');

type Name = 'east' | 'west';

/** One of two Kafka clusters, with its bridge. */
interface Side {
  name: Name;
  kafka: OwnKafka;
  view: KafkaView;
  bridge: TestBridge;
}

const FROM_OPERATOR = { ...PROOF, 'causeway-gateway': 'edge', 'causeway-operator': 'edge' };
const TOPICS = ['orders', 'fresh', 'safe'];

let directory: string;
let reaper: Reaper;
let runtime: JavaRuntime;
let mirror: Replication;
let east: Side;
let west: Side;

async function startBridge(name: Name, kafkas: Record<Name, OwnKafka>): Promise<TestBridge> {
  const peer = name === 'east' ? 'west' : 'east';
  return await TestBridge.start(kafkas[name].cluster.bootstrap, {
    bridge: { name: 'b1', region: name },
    // Longer than the tests take: what a cluster keeps of its consumers must not be in the way of their return.
    kafka: { cluster: name, requestTimeoutMs: 10_000, sessionTimeoutMs: 60_000 },
    clusters: {
      peer: { name: peer, bootstrapServers: [kafkas[peer].cluster.bootstrap] },
      leaseMs: 400,
      switchOverTimeoutMs: 20_000,
    },
    producer: { deliveryTimeoutMs: 20_000, replicatedTopics: ['safe'] },
    consumers: { fetchMaxWaitMs: 100 },
  });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-moved-'));
  reaper = new Reaper();
  const ports = await findFreePorts(4);
  const start = (first: number): Promise<OwnKafka> =>
    startOwnKafka({
      brokerCount: 1,
      ports: ports.slice(first, first + 2),
      properties: { ...QUICK_RESTART, 'log.cleaner.backoff.ms': '100' },
    });
  const [eastKafka, westKafka] = await Promise.all([start(0), start(2)]);
  const kafkas = { east: eastKafka, west: westKafka };
  const side = async (name: Name): Promise<Side> => ({
    name,
    kafka: kafkas[name],
    view: await KafkaView.connect(kafkas[name].cluster.bootstrap),
    bridge: await startBridge(name, kafkas),
  });
  [east, west] = await Promise.all([side('east'), side('west')]);
  for (const topic of TOPICS) await east.view.createTopic(topic);
  await clusterOf(east, '0;east');
  await until('east serves', async () => (await clusterOf(east)) === 'east;active');
  await until('west stands by', async () => (await clusterOf(west, '1;east')) === 'west;standby');
  await writeMixed();
  runtime = await resolveMirrorRuntime({ onProgress: () => {}, reaper });
  mirror = new Replication({ directory, runtime, reaper });
  await mirror.start(direction(east, west));
}, 400_000);

afterAll(async () => {
  await mirror?.stop();
  await Promise.all([east, west].map((side) => side?.bridge.close()));
  await Promise.all([east, west].map((side) => side?.view.close()));
  await Promise.all([east, west].map((side) => side?.kafka.close()));
  await reaper?.close();
  rmSync(directory, { recursive: true, force: true });
});

function direction(source: Side, target: Side) {
  const named = ({ name, kafka }: Side) => ({ name, bootstrap: kafka.cluster.bootstrap });
  return { source: named(source), target: named(target) };
}

/** The cluster behind a bridge, and its mode. `promotion`: as a gateway sends it. */
async function clusterOf({ bridge }: Side, promotion?: string): Promise<string | null> {
  const headers = { ...FROM_OPERATOR, ...(promotion === undefined ? {} : { 'causeway-promotion': promotion }) };
  const response = await fetch(`${bridge.url}/ready`, { headers });
  await response.arrayBuffer();
  return response.headers.get('causeway-cluster');
}

async function promote({ bridge }: Side, after: string, { mayLose }: { mayLose: boolean }) {
  const [number, cluster] = after.split(';');
  const body = { after: { number: Number(number), cluster }, by: 'a test', reason: 'to see', mayLose };
  const response = await fetch(`${bridge.url}/causeway-clusters/promote`, {
    method: 'POST',
    headers: FROM_OPERATOR,
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: a response of several shapes.
  return { status: response.status, body: (await response.json()) as any };
}

/** Where MirrorMaker begins to fill it. */
async function prepare({ bridge }: Side, body: object = {}) {
  const response = await fetch(`${bridge.url}/causeway-clusters/prepare`, {
    method: 'POST',
    headers: FROM_OPERATOR,
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: a response of several shapes.
  return { status: response.status, body: (await response.json()) as any };
}

/** A topic with the gaps of compaction, markers, and aborted records, before anything of it is copied. */
async function writeMixed(): Promise<void> {
  await east.view.createTopic('mixed', 1, {
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.01',
    'max.compaction.lag.ms': '100',
  });
  const keyed = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: `k${index % 7}`, value: `${index}`, partition: 0 }));
  await east.view.write('mixed', keyed(30));
  await transactions();
  await until('compaction has left gaps', async () => {
    // Only closed segments are compacted: each record closes the one before.
    await east.view.write('mixed', keyed(1));
    const [ends] = await east.view.admin.fetchTopicOffsets('mixed');
    const { records } = await mixed(east);
    return records.size > 0 && !records.has(0) && records.size < Number(ends?.high) - 25;
  });
  await transactions();
}

/** Some committed, some aborted; each ends with a marker. */
async function transactions(): Promise<void> {
  for (const end of ['commit', 'abort', 'commit'] as const) {
    const messages = Array.from({ length: 4 }, (_, index) => ({
      key: unique('key'),
      value: `${end} ${index}`,
      partition: 0,
    }));
    await writeInTransaction(east.kafka.cluster.bootstrap, { topic: 'mixed', messages, end });
  }
}

/** The records of the topic by offset, as a text that is the same for a record and its copy; and its end. */
async function mixed({ kafka }: Side): Promise<{ records: Map<number, string>; end: number }> {
  const cluster = testCluster(kafka.cluster.bootstrap);
  try {
    const place = { topic: 'mixed', partition: 0 };
    const limits = within(20_000);
    const [last] = await listOffsets(cluster, [place], { spec: 'latest', isolationLevel: 'read_uncommitted', limits });
    const to = Number(last?.offset);
    const records = new Map<number, string>();
    for await (const read of readSpan(cluster, { ...place, from: 0, to }, limits)) {
      for (const { offset, key, value, timestampMs } of read)
        records.set(Number(offset), `${key} ${value} ${timestampMs}`);
    }
    return { records, end: to };
  } finally {
    await cluster.close();
  }
}

const values = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

async function write({ view }: Side, topic: string, written: readonly string[]): Promise<void> {
  await view.write(
    topic,
    written.map((value) => ({ value: JSON.stringify(value), partition: 0 })),
  );
}

async function end({ view }: Side, topic: string): Promise<number[]> {
  const offsets = await view.admin.fetchTopicOffsets(topic);
  return offsets.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
}

/** The same consumers at the bridges of both clusters, which their clients do not distinguish. */
const READERS = ['auto', 'manual', 'seeker', 'assigned', 'pattern'] as const;
const KINDS = [...READERS, 'latest'] as const;
type Kind = (typeof KINDS)[number] | 'late';

function consumer({ bridge }: Side, kind: Kind): TestConsumer {
  return new TestConsumer(bridge, `group-${kind}`, 'c');
}

async function create(side: Side, kind: Kind): Promise<void> {
  const options: Record<Kind, object> = {
    auto: {},
    manual: { 'enable.auto.commit': false },
    seeker: { 'enable.auto.commit': false },
    latest: { 'auto.offset.reset': 'latest' },
    late: { 'auto.offset.reset': 'latest' },
    assigned: { 'enable.auto.commit': false },
    pattern: {},
  };
  const isFresh = kind === 'latest' || kind === 'late';
  const topics = isFresh ? ['fresh'] : kind === 'assigned' || kind === 'pattern' ? [] : ['orders'];
  const created = await side.bridge.consumer(`group-${kind}`, 'c', topics, options[kind]);
  if (kind === 'assigned') await created.bridge.post(`${created.path}/assignments`, { partitions: [place('orders')] });
  if (kind === 'pattern') await created.bridge.post(`${created.path}/subscription`, { topic_pattern: 'ord.*' });
}

function place(topic: string) {
  return { topic, partition: 0 };
}

async function seek(side: Side, kind: Kind, offset: number): Promise<void> {
  const { path } = consumer(side, kind);
  const sought = await side.bridge.post(`${path}/positions`, { offsets: [{ ...place('orders'), offset }] });
  expect(sought.status).toBe(204);
}

async function take(side: Side, kind: Kind, count: number): Promise<unknown[]> {
  return (await consumer(side, kind).take(count)).map(({ value }) => value);
}

/** Polls until the consumer is at the end, as `auto.offset.reset` says. */
async function begin(side: Side, kind: Kind, offset: number): Promise<void> {
  await until(`${kind} has begun at ${offset}`, async () => {
    expect((await consumer(side, kind).poll('timeout=200')).body).toEqual([]);
    const { body } = await side.bridge.get(`${consumer(side, kind).path}/positions`);
    return body.offsets[0]?.offset === offset;
  });
}

/** One more poll, which commits what the last one brought, or confirms it. */
async function confirm(side: Side, kind: Kind): Promise<void> {
  const { status, body } = await consumer(side, kind).poll('timeout=200');
  expect([status, body]).toEqual([200, []]);
}

/** What a consumer gets next, in order. */
async function expectNext(side: Side, kind: Kind, expected: readonly string[]): Promise<void> {
  expect(await take(side, kind, expected.length), kind).toEqual(expected);
  await confirm(side, kind);
}

/** What a consumer gets until the last value: after a loss, what it has got before may come again, and nothing is left out. */
async function expectAllUntil(
  side: Side,
  kind: Kind,
  expected: readonly string[],
  stored: readonly string[],
): Promise<void> {
  const got: unknown[] = [];
  while (got.at(-1) !== expected.at(-1)) got.push(...(await take(side, kind, 1)));
  expect(got, kind).toEqual(stored.slice(-got.length));
  expect(got.length, kind).toBeGreaterThanOrEqual(expected.length);
}

/** What a bridge of west reads of the replication from east. */
function tailsInWest(): { syncs: SyncTail; checkpoints: CheckpointTail } {
  const cluster = testCluster(west.kafka.cluster.bootstrap);
  const options = { source: 'east', requestTimeoutMs: 10_000 };
  const [syncs, checkpoints] = [new SyncTail(cluster, options), new CheckpointTail(cluster, options)];
  for (const { tail } of [syncs, checkpoints]) tail.start();
  onTestFinished(async () => {
    await Promise.all([syncs, checkpoints].map(({ tail }) => tail.close()));
    await cluster.close();
  });
  return { syncs, checkpoints };
}

test("translated positions pass no record, and are never behind MirrorMaker's own, over compaction, transactions and gaps", async () => {
  await transactions();
  await east.view.write('mixed', [{ key: 'last', value: 'last', partition: 0 }]);
  const { records: there, end } = await mixed(east);
  expect(end).toBeGreaterThan(there.size + 30);
  const positions = Array.from({ length: end + 1 }, (_, offset) => offset);
  await Promise.all(
    positions.map((offset) =>
      east.view.admin.setOffsets({
        groupId: `mixed-${offset}`,
        topic: 'mixed',
        partitions: [{ partition: 0, offset: String(offset) }],
      }),
    ),
  );
  const { syncs, checkpoints } = tailsInWest();
  await until('MirrorMaker has translated the end', () => checkpoints.of(`mixed-${end}`).length > 0);
  const { records: here } = await mixed(west);
  const place = { topic: 'mixed', partition: 0 };
  const twoWay = { towards: syncs.index, back: new SyncIndex() };
  const behind: { ours: number[]; mirrorMakers: number[] } = { ours: [], mirrorMakers: [] };
  const copyOf = new Map([...here].map(([offset, text]) => [text, offset]));
  let furthest = Math.max(...here.keys()) + 1;
  for (const offset of positions.toReversed()) {
    const text = there.get(offset);
    if (text !== undefined) furthest = Math.min(furthest, copyOf.get(text) ?? -1);
    const ours = Number(translateOffset(twoWay, { ...place, offset: BigInt(offset) }));
    expect(ours, `position ${offset}`).toBeLessThanOrEqual(furthest);
    behind.ours.push(furthest - ours);
    const [own] = checkpoints.of(`mixed-${offset}`);
    // MirrorMaker translates no position before the first sync since its start.
    if (own === undefined) continue;
    expect(ours, `position ${offset}`).toBeGreaterThanOrEqual(Number(own.downstream));
    behind.mirrorMakers.push(furthest - Number(own.downstream));
  }
  expect(behind.mirrorMakers.length).toBeGreaterThan(10);
}, 120_000);

test.skipIf(!hasCompiler)(
  "MirrorMaker's own client has what a bridge reads in checkpoints, and none ahead of the bridge",
  async () => {
    const { syncs, checkpoints } = tailsInWest();
    const ofGroups = { target: west.kafka.cluster.bootstrap, source: 'east', pattern: '^mixed-[0-9]+$' };
    const { end: last } = await mixed(east);
    const groups = Array.from({ length: last + 1 }, (_, offset) => `mixed-${offset}`);
    let theirs = new Map<string, number>();
    // MirrorMaker may still write checkpoints of some groups.
    await until('both have read all of them', async () => {
      const found = [...(await remoteOffsets(runtime, ofGroups))];
      theirs = new Map(found.map(([group, offsets]) => [group, offsets[0]?.offset ?? -1]));
      const read = groups.flatMap((group) =>
        checkpoints.of(group).map(({ downstream }) => [group, Number(downstream)] as const),
      );
      expect(new Map(read)).toEqual(theirs);
      return theirs.size > 10;
    });
    const twoWay = { towards: syncs.index, back: new SyncIndex() };
    for (const [group, offset] of theirs) {
      const position = { topic: 'mixed', partition: 0, offset: BigInt(group.slice('mixed-'.length)) };
      expect(Number(translateOffset(twoWay, position)), group).toBeGreaterThanOrEqual(offset);
    }
  },
  120_000,
);

test('with acks=replicated a record is acknowledged when the other cluster has it', async () => {
  const body = { records: [{ value: 'x', partition: 0 }] };
  const asked = await east.bridge.produce('orders', body, { query: '?acks=replicated' });
  expect(asked.body).toEqual({ offsets: [{ partition: 0, offset: 0 }] });
  expect(await end(west, 'orders')).toEqual([1]);
  const always = await east.bridge.produce('safe', body);
  expect(always.body).toEqual({ offsets: [{ partition: 0, offset: 0 }] });
  expect(await end(west, 'safe')).toEqual([1]);
  // A repetition with the same key waits, too, by the answer that is kept.
  const keyed = () =>
    east.bridge.request('POST', '/topics/safe', {
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json', 'idempotency-key': 'once' },
      body: JSON.stringify(body),
    });
  const [first, second] = [await keyed(), await keyed()];
  expect(first.body).toEqual({ offsets: [{ partition: 0, offset: 1 }] });
  expect([second.status, second.text, second.headers.get('idempotency-replayed')]).toEqual([200, first.text, 'true']);
  const metrics = (await east.bridge.get('/metrics')).text;
  expect(metrics).toContain('causeway_bridge_replication_acknowledgement_duration_seconds_count 4');
  expect(metrics).toContain('causeway_bridge_replication_lag_records{from="east",to="west"}');
});

test('a switch-over moves every kind of consumer: none gets a record twice, and none skips one', async () => {
  await write(east, 'fresh', ['before']);
  for (const kind of KINDS) await create(east, kind);
  await begin(east, 'latest', 1);
  await write(east, 'orders', values('a', 40));
  for (const kind of READERS) await expectNext(east, kind, ['x', ...values('a', 40)]);
  await write(east, 'fresh', ['f0', 'f1']);
  expect((await consumer(east, 'manual').commit({ offsets: [{ ...place('orders'), offset: 41 }] })).status).toBe(204);
  await write(east, 'orders', values('b', 10));
  await seek(east, 'seeker', 43);
  await seek(east, 'assigned', 42);

  const promoted = await promote(west, '1;east', { mayLose: false });
  expect(promoted.body).toMatchObject({ promotion: { number: 2, cluster: 'west' }, kind: 'orderly' });
  expect(await end(west, 'orders')).toEqual([51]);
  await write(west, 'orders', values('c', 5));
  await write(west, 'fresh', ['f2']);
  for (const kind of ['auto', 'manual', 'pattern'] as const) {
    await expectNext(west, kind, [...values('b', 10), ...values('c', 5)]);
  }
  await expectNext(west, 'seeker', [...values('b', 10).slice(2), ...values('c', 5)]);
  await expectNext(west, 'assigned', [...values('b', 10).slice(1), ...values('c', 5)]);
  await expectNext(west, 'latest', ['f0', 'f1', 'f2']);
}, 120_000);

test('and back again, when MirrorMaker was turned', async () => {
  await mirror.turn(direction(west, east), () => prepare(east));
  await write(west, 'orders', values('d', 3));
  await expectNext(west, 'auto', values('d', 3));
  const promoted = await promote(east, '2;west', { mayLose: false });
  expect(promoted.body).toMatchObject({ promotion: { number: 3, cluster: 'east' }, kind: 'orderly' });
  await write(east, 'orders', values('e', 3));
  await write(east, 'fresh', ['f3']);
  await expectNext(east, 'auto', values('e', 3));
  for (const kind of READERS.filter((other) => other !== 'auto')) {
    await expectNext(east, kind, [...values('d', 3), ...values('e', 3)]);
  }
  await expectNext(east, 'latest', ['f3']);
}, 120_000);

test('after a loss, no consumer skips a record that the promoted cluster has, and the report has those that it lacks', async () => {
  await mirror.turn(direction(east, west), () => prepare(west));
  const sum = async (): Promise<number> => (await end(west, 'causeway-sessions')).reduce((a, b) => a + b, 0);
  const before = await sum();
  await create(east, 'late');
  await begin(east, 'late', 5);
  // The claim, the subscription, and where it began; its commit may or may not arrive.
  await until('the session log is copied', async () => (await sum()) >= before + 3);
  await write(east, 'orders', values('g', 5));
  await write(east, 'fresh', ['f4', 'f5']);
  await until('the records are copied', async () => {
    const ends = [...(await end(west, 'orders')), ...(await end(west, 'fresh'))];
    return ends.join() === '67,7';
  });
  await mirror.stop();
  await write(east, 'orders', ['lost 1', 'lost 2']);
  await until('the loss is measured', async () => (await lagOf(west)) === 2);
  await east.kafka.cluster.killBroker(1);
  const promoted = await promote(west, '3;east', { mayLose: true });
  expect(promoted.body).toMatchObject({
    promotion: { number: 4, cluster: 'west' },
    kind: 'forced',
    report: { lost: 'east', ranges: [{ topic: 'orders', partition: 0, records: 2 }] },
  });
  await write(west, 'orders', ['h']);
  await write(west, 'fresh', ['f6']);
  const stored = ['x', ...values('a', 40), ...values('b', 10), ...values('c', 5), ...values('d', 3), ...values('e', 3)];
  for (const kind of READERS) {
    await expectAllUntil(west, kind, [...values('g', 5), 'h'], [...stored, ...values('g', 5), 'h']);
  }
  const allFresh = ['before', 'f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6'];
  for (const kind of ['latest', 'late'] as const) await expectAllUntil(west, kind, ['f4', 'f5', 'f6'], allFresh);
}, 180_000);

test('the lost cluster returns, and is filled from the promotion on: each record once, beside those that it alone has', async () => {
  expect(await prepare(east).catch(() => 'unreachable')).not.toMatchObject({ status: 200 });
  await east.kafka.cluster.restartBroker(1);
  await until('east is fenced', async () => (await clusterOf(east, '4;west')) === 'east;fenced');
  expect(await prepare(east)).toMatchObject({
    status: 409,
    body: { message: expect.stringContaining('stand by (fenced)') },
  });
  const rejoined = await fetch(`${east.bridge.url}/causeway-clusters/rejoin`, {
    method: 'POST',
    headers: FROM_OPERATOR,
  });
  expect([rejoined.status, await rejoined.text()]).toMatchObject([200, expect.any(String)]);
  await until('east stands by', async () => (await clusterOf(east)) === 'east;standby');
  const before = await valuesIn(east, 'orders');
  expect(before.slice(-2)).toEqual(['lost 1', 'lost 2']);

  const expected = await prepare(east, { dryRun: true });
  await mirror.turn(direction(west, east), () => prepare(east));
  await write(west, 'orders', values('i', 5));
  await until('east has what was written since', async () => (await valuesIn(east, 'orders')).at(-1) === 'i4');
  expect(await valuesIn(east, 'orders')).toEqual([...before, 'h', ...values('i', 5)]);
  // The same once more, while MirrorMaker's own positions are ahead.
  expect((await prepare(east)).body).toEqual(expected.body);
  await mirror.stop();
  await mirror.start(direction(west, east));
  await write(west, 'orders', ['j']);
  await until('it continues', async () => (await valuesIn(east, 'orders')).at(-1) === 'j');
  expect(await valuesIn(east, 'orders')).toEqual([...before, 'h', ...values('i', 5), 'j']);
}, 180_000);

async function valuesIn(side: Side, topic: string): Promise<unknown[]> {
  const [count = 0] = await end(side, topic);
  return (await side.view.read(topic, count)).map(({ value }) => JSON.parse(String(value)) as unknown);
}

/** Records that the standby lacks, as its bridge measures; `undefined` before it did. */
async function lagOf({ bridge }: Side): Promise<number | undefined> {
  const response = await fetch(`${bridge.url}/causeway-clusters`, { headers: FROM_OPERATOR });
  const { replication } = (await response.json()) as {
    replication: { problem: string | null; records: number } | null;
  };
  return replication?.problem === null ? replication.records : undefined;
}

/**
 * Consumers move between two Kafka clusters that a real MirrorMaker replicates: in order, back again, and after a loss. None of them skips a record;
 * in order, none gets one twice.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveMirrorRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { Replication } from '@causeway/lab/stack/replication.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestBridge, TestConsumer } from '../../../test/harness/bridge.ts';
import { KafkaView } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';

type Name = 'east' | 'west';

/** One of two Kafka clusters, with its bridge. */
interface Side {
  name: Name;
  kafka: OwnKafka;
  view: KafkaView;
  bridge: TestBridge;
}

const FROM_OPERATOR = { ...PROOF, 'causeway-gateway': 'edge', 'causeway-operator': 'edge' };
const TOPICS = ['orders', 'fresh'];

let directory: string;
let reaper: Reaper;
let mirror: Replication;
let east: Side;
let west: Side;

async function startBridge(name: Name, kafkas: Record<Name, OwnKafka>): Promise<TestBridge> {
  const peer = name === 'east' ? 'west' : 'east';
  return await TestBridge.start(kafkas[name].cluster.bootstrap, {
    bridge: { name: 'b1', region: name },
    kafka: { cluster: name, requestTimeoutMs: 10_000 },
    clusters: {
      peer: { name: peer, bootstrapServers: [kafkas[peer].cluster.bootstrap] },
      leaseMs: 400,
      switchOverTimeoutMs: 20_000,
    },
    consumers: { fetchMaxWaitMs: 100 },
  });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-moved-'));
  reaper = new Reaper();
  const ports = await findFreePorts(4);
  const start = (first: number): Promise<OwnKafka> =>
    startOwnKafka({ brokerCount: 1, ports: ports.slice(first, first + 2), properties: QUICK_RESTART });
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
  const runtime = await resolveMirrorRuntime({ onProgress: () => {}, reaper });
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
const KINDS = ['auto', 'manual', 'seeker', 'latest', 'assigned', 'pattern'] as const;
type Kind = (typeof KINDS)[number];

function consumer({ bridge }: Side, kind: Kind): TestConsumer {
  return new TestConsumer(bridge, `group-${kind}`, 'c');
}

async function create(side: Side, kind: Kind): Promise<void> {
  const options: Record<Kind, object> = {
    auto: {},
    manual: { 'enable.auto.commit': false },
    seeker: { 'enable.auto.commit': false },
    latest: { 'auto.offset.reset': 'latest' },
    assigned: { 'enable.auto.commit': false },
    pattern: {},
  };
  const topics = kind === 'latest' ? ['fresh'] : kind === 'assigned' || kind === 'pattern' ? [] : ['orders'];
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

test('a switch-over moves every kind of consumer: none gets a record twice, and none skips one', async () => {
  await write(east, 'fresh', ['before']);
  for (const kind of KINDS) await create(east, kind);
  await begin(east, 'latest', 1);
  await write(east, 'orders', values('a', 40));
  for (const kind of KINDS.filter((other) => other !== 'latest')) {
    expect(await take(east, kind, 40)).toEqual(values('a', 40));
    await confirm(east, kind);
  }
  await write(east, 'fresh', ['f0', 'f1']);
  expect((await consumer(east, 'manual').commit({ offsets: [{ ...place('orders'), offset: 40 }] })).status).toBe(204);
  await seek(east, 'seeker', 40);
  await write(east, 'orders', values('b', 10));
  await seek(east, 'assigned', 41);

  const promoted = await promote(west, '1;east', { mayLose: false });
  expect(promoted.body).toMatchObject({ promotion: { number: 2, cluster: 'west' }, kind: 'orderly' });
  expect(await end(west, 'orders')).toEqual([50]);
  await write(west, 'orders', values('c', 5));
  await write(west, 'fresh', ['f2']);
  for (const kind of ['auto', 'manual', 'seeker', 'pattern'] as const) {
    expect(await take(west, kind, 15), kind).toEqual([...values('b', 10), ...values('c', 5)]);
    await confirm(west, kind);
  }
  expect(await take(west, 'assigned', 14)).toEqual([...values('b', 10).slice(1), ...values('c', 5)]);
  expect(await take(west, 'latest', 3)).toEqual(['f0', 'f1', 'f2']);
  for (const kind of ['assigned', 'latest'] as const) await confirm(west, kind);
}, 120_000);

/** Consumers survive an operator who deletes the session log; on a Kafka of its own, because all bridges share it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { request } from 'undici';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { KafkaView } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF, TEST_TRUST } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import type { LoggedEntry } from '../src/ownership/session-entry.ts';
import { SessionLog } from '../src/ownership/session-log.ts';
import { SESSION_PARTITION_COUNT } from '../src/ownership/session-topic.ts';
import { SESSION_TOPIC } from '../src/ownership/session-topic-name.ts';

const NAMES = ['c0', 'c1', 'c2', 'c3'];

let own: OwnKafka;
let kafka: KafkaView;
let west: TestBridge;
let east: BridgeProcess;
let eastUrl: string;
let directory: string;
let topic: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-deleted-log-'));
  own = await startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2), properties: PATIENT_BROKER });
  kafka = await KafkaView.connect(own.cluster.bootstrap);
  west = await TestBridge.start(own.cluster.bootstrap, {
    bridge: { name: 'b', region: 'west' },
    consumers: { topicRefreshMs: 500 },
  });
});
afterAll(async () => {
  await west?.close();
  await kafka?.close();
  await own?.close();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  const config = {
    bridge: { name: 'b', region: 'east' },
    listen: { port: 0 },
    kafka: { bootstrapServers: own.cluster.bootstrap.split(','), sessionTimeoutMs: 15_000 },
    trust: TEST_TRUST,
  };
  writeFileSync(join(directory, 'east.yaml'), JSON.stringify(config));
  east = new BridgeProcess(directory, ['--config', 'east.yaml']);
  eastUrl = await east.url();
  topic = await kafka.topic();
});

/** A group each; all of them read the same topic. */
const groupOf = (name: string): string => `${topic}-${name}`;
const path = (name: string, rest: string): string => `/consumers/${groupOf(name)}/instances/${name}${rest}`;

async function postToEast(path: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
  const answer = await request(`${eastUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  await answer.body.dump();
  return answer.statusCode;
}

async function createOnEast(): Promise<void> {
  const options = { format: 'json', 'auto.offset.reset': 'earliest' };
  for (const name of NAMES) {
    const create = () => postToEast(`/consumers/${groupOf(name)}`, { name, ...options });
    await until(`${name} is created`, async () => (await create()) === 200);
    expect(await postToEast(path(name, '/subscription'), { topics: [topic] })).toBe(204);
  }
}

async function poll(url: string, name: string, failedOwner?: string): Promise<{ status: number; values: unknown[] }> {
  const headers = { 'causeway-gateway': 'test', ...PROOF, 'causeway-failed': failedOwner ?? '' };
  // Not by fetch(), which repeats a request that is answered 421.
  const answer = await request(`${url}${path(name, '/records?timeout=1000')}`, { headers });
  const text = await answer.body.text();
  const records = answer.statusCode === 200 ? (JSON.parse(text) as { value: unknown }[]) : [];
  return { status: answer.statusCode, values: records.map(({ value }) => value) };
}

async function produce(value: string): Promise<void> {
  expect((await west.produce(topic, { records: [{ value }] })).status).toBe(200);
}

/** Until every consumer has the record; what was answered meanwhile. */
async function takeAll(url: string, value: string, failedOwner?: string): Promise<number[]> {
  const statuses = new Set<number>();
  await Promise.all(
    NAMES.map((name) =>
      until(`${name} gets ${value}`, async () => {
        const { status, values } = await poll(url, name, failedOwner);
        statuses.add(status);
        return values.includes(value);
      }),
    ),
  );
  return [...statuses];
}

/** What a bridge that starts now reads of the consumers. */
async function untilLogged(what: string, isAsExpected: (entries: readonly LoggedEntry[]) => boolean): Promise<void> {
  // Not by a log of the test's own, which would make it.
  await until('the log is there', async () => (await kafka.admin.listTopics()).includes(SESSION_TOPIC));
  const cluster = testCluster(own.cluster.bootstrap);
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000 });
  log.start();
  const ours = () => [...log.entries()].filter(({ identity }) => identity.group.startsWith(topic));
  try {
    await until(what, () => log.isLoaded && isAsExpected(ours()));
  } finally {
    await log.close();
    await cluster.close();
  }
}

const isHeldBy = (owner: string, entries: readonly LoggedEntry[]): boolean =>
  entries.filter(({ value }) => value.owner === owner && value.state === 'held').length === NAMES.length;

async function killEast(): Promise<void> {
  east.child.kill('SIGKILL');
  await east.exitCode();
}

test.each<[what: string, remake: () => Promise<void>]>([
  ['deleted', async () => {}],
  [
    'deleted and recreated by an operator',
    async () => {
      // A bridge may be first.
      const settings = { 'cleanup.policy': 'compact' };
      await kafka.createTopic(SESSION_TOPIC, SESSION_PARTITION_COUNT, settings).catch(() => {});
    },
  ],
])('a log that was %s is written again, and consumers survive their bridge as before', async (_, remake) => {
  await createOnEast();
  await produce('a');
  await takeAll(eastUrl, 'a');

  await kafka.admin.deleteTopics({ topics: [SESSION_TOPIC] });
  await remake();
  await untilLogged('the consumers are written again', (entries) => isHeldBy('east/b', entries));
  await produce('b');
  // None was lost, or taken over: at most it waits.
  const statuses = await takeAll(eastUrl, 'b');
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
  for (const name of NAMES) expect((await poll(west.url, name)).status).toBe(421);

  await killEast();
  await produce('c');
  await takeAll(west.url, 'c', 'east/b');
  await untilLogged('the other bridge has them', (entries) => isHeldBy('west/b', entries));
});

test('consumers whose bridge died before it could write them again live on where they are known', async () => {
  await createOnEast();
  await produce('a');
  await takeAll(eastUrl, 'a');
  await killEast();
  await kafka.admin.deleteTopics({ topics: [SESSION_TOPIC] });
  await produce('b');
  // It waits until the log is written again, and no longer.
  expect(await takeAll(west.url, 'b', 'east/b')).toEqual([200]);
  await untilLogged('the other bridge has them', (entries) => isHeldBy('west/b', entries));
});

test('a consumer that changes while the log is being written again is as its client left it', async () => {
  await createOnEast();
  const other = await kafka.topic();
  await produce('a');
  await takeAll(eastUrl, 'a');
  await kafka.admin.deleteTopics({ topics: [SESSION_TOPIC] });
  // At once, and until it is answered that it was done.
  await Promise.all(
    NAMES.map((name) =>
      until(`${name} reads another topic`, async () => {
        return (await postToEast(path(name, '/subscription'), { topics: [other] })) === 204;
      }),
    ),
  );
  const readsOther = ({ value }: LoggedEntry): boolean =>
    value.state === 'held' && JSON.stringify(value.description.subscription).includes(other);
  await untilLogged('what they read is written', (entries) => entries.filter(readsOther).length === NAMES.length);
  await killEast();
  expect((await west.produce(other, { records: [{ value: 'b' }] })).status).toBe(200);
  await takeAll(west.url, 'b', 'east/b');
});

/** Two Kafka clusters of which one is active: who serves, how that changes, and what a cluster that returns may do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { syncsTopic, TestMirror } from '../../../test/harness/mirror.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF, TEST_TRUST } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { CLUSTER_TOPIC } from '../src/clusters/cluster-topic.ts';

const FROM_GATEWAY = { ...PROOF, 'causeway-gateway': 'edge' };
const LEASE_MS = 400;
/** How long the second bridge of west waits for the replication. */
const IMPATIENT_MS = 500;
const FROM_OPERATOR = { ...FROM_GATEWAY, 'causeway-operator': 'edge' };

/** East is a Kafka that dies. */
let east: OwnKafka;
let westBootstrap: string;
let west: KafkaView;
let eastView: KafkaView;
let mirror: TestMirror;
let eastBridge: TestBridge;
let westBridges: TestBridge[];
let topic: string;

type Name = 'east' | 'west';

const OTHER = { east: 'west', west: 'east' } as const;

function bootstrapOf(name: Name): string {
  return name === 'east' ? east.cluster.bootstrap : westBootstrap;
}

/** The section of a bridge's configuration. */
function clustersOf(cluster: Name, settings: object = {}): object {
  const peer = { name: OTHER[cluster], bootstrapServers: [bootstrapOf(OTHER[cluster])] };
  return { peer, topics: [topic], leaseMs: LEASE_MS, switchOverTimeoutMs: 30_000, ...settings };
}

function startBridge(name: string, cluster: Name, settings: object = {}): Promise<TestBridge> {
  return TestBridge.start(bootstrapOf(cluster), {
    bridge: { name, region: cluster },
    kafka: { cluster },
    clusters: clustersOf(cluster, settings),
  });
}

beforeAll(async () => {
  westBootstrap = inject('kafkaBootstrap');
  [east, west] = await Promise.all([
    startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2), properties: QUICK_RESTART }),
    KafkaView.connect(westBootstrap),
  ]);
  // Of an earlier run, in a Kafka that outlives runs.
  await west.admin.deleteTopics({ topics: [CLUSTER_TOPIC] }).catch(() => {});
  topic = unique('moved');
  eastView = await KafkaView.connect(east.cluster.bootstrap);
  const compacted = { 'cleanup.policy': 'compact' };
  await Promise.all([
    ...[eastView, west].map((view) => view.createTopic(topic)),
    west.createTopic(syncsTopic('east'), 1, compacted).catch(() => {}),
    eastView.createTopic(syncsTopic('west'), 1, compacted),
  ]);
  mirror = await startMirror('east');
  eastBridge = await startBridge('e1', 'east');
  westBridges = await Promise.all([
    startBridge('w1', 'west'),
    startBridge('w2', 'west', { switchOverTimeoutMs: IMPATIENT_MS }),
  ]);
});
afterAll(async () => {
  await Promise.all([eastBridge, ...(westBridges ?? [])].map((bridge) => bridge?.close()));
  await mirror?.close();
  await Promise.all([west?.close(), eastView?.close()]);
  await east?.close();
});

function startMirror(source: Name, from: Record<string, number> = {}): Promise<TestMirror> {
  const target = bootstrapOf(OTHER[source]);
  return TestMirror.start({ source: { name: source, bootstrap: bootstrapOf(source) }, target, topics: [topic], from });
}

/** Writes into a cluster's log what a promoter that died had written. */
async function writeLog(cluster: Name, ...records: object[]): Promise<void> {
  const producer = independentClient(bootstrapOf(cluster)).producer();
  await producer.connect();
  const note = { version: 1, by: 'a test', reason: 'to see', atMs: Date.now() };
  const messages = records.map((record) => ({ key: unique('key'), value: JSON.stringify({ ...note, ...record }) }));
  await producer.send({ topic: CLUSTER_TOPIC, messages });
  await producer.disconnect();
}

/** Values of the topic, in order. `markers`: of transactions, which have offsets. */
async function valuesIn(view: KafkaView, { markers = 0 } = {}): Promise<string[]> {
  const [partition] = await view.admin.fetchTopicOffsets(topic);
  const messages = await view.read(topic, Number(partition?.high ?? 0) - markers);
  return messages.map(({ value }) => JSON.parse(String(value)) as string);
}

/** Produces until it is ended; `acknowledged` has the values with an offset. */
function producing(bridge: TestBridge, prefix: string) {
  const acknowledged: string[] = [];
  const statuses = new Set<number>();
  let isOver = false;
  const running = (async () => {
    for (let count = 0; !isOver; count += 1) {
      const value = `${prefix}${count}`;
      const { status } = await send(bridge, { value });
      statuses.add(status);
      if (status === 200) acknowledged.push(value);
      // Not as fast as it can: a refusal takes no time.
      else await delay(20);
    }
  })();
  const end = async (): Promise<void> => {
    isOver = true;
    await running;
  };
  return { acknowledged, statuses, end };
}

interface Report {
  status: number;
  cluster: string | null;
  promotion: string | null;
}

/** A gateway's probe, with the promotion that the gateway knows. */
async function probe(bridge: TestBridge, promotion?: string): Promise<Report> {
  const headers = { ...FROM_GATEWAY, ...(promotion === undefined ? {} : { 'causeway-promotion': promotion }) };
  const response = await fetch(`${bridge.url}/ready`, { headers });
  await response.arrayBuffer();
  const { status, headers: got } = response;
  return { status, cluster: got.get('causeway-cluster'), promotion: got.get('causeway-promotion') };
}

async function untilMode(bridge: TestBridge, cluster: string): Promise<void> {
  await until(`the bridge is ${cluster}`, async () => (await probe(bridge)).cluster === cluster);
}

async function send(
  bridge: { url: string },
  { headers = FROM_GATEWAY, value = 'v' }: { headers?: Record<string, string>; value?: string } = {},
) {
  const body = JSON.stringify({ records: [{ value }] });
  const sent = { ...headers, 'content-type': 'application/vnd.kafka.json.v2+json' };
  const response = await fetch(`${bridge.url}/topics/${topic}`, { method: 'POST', headers: sent, body });
  return { status: response.status, headers: response.headers, body: (await response.json()) as { message?: string } };
}

async function ask(
  bridge: TestBridge,
  path: string,
  body?: object,
  // biome-ignore lint/suspicious/noExplicitAny: responses of several shapes.
): Promise<{ status: number; body: any; headers: Headers }> {
  const response = await fetch(`${bridge.url}/causeway-clusters${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: FROM_OPERATOR,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function promote(bridge: TestBridge, after: string, { mayLose = false } = {}) {
  const [number, cluster] = after.split(';');
  return ask(bridge, '/promote', {
    after: { number: Number(number), cluster },
    by: 'a test',
    reason: 'to see',
    mayLose,
  });
}

/** Copies from this cluster on, what comes from now on. */
async function turnMirror(source: Name): Promise<void> {
  await mirror.close();
  const view = source === 'east' ? eastView : west;
  const [partition] = await view.admin.fetchTopicOffsets(topic);
  mirror = await startMirror(source, { [`${topic}-0`]: Number(partition?.high ?? 0) });
}

/** Waits until the other cluster has all of this one, and returns the end in this one. */
async function untilCopied(source: Name = 'east'): Promise<number> {
  const view = source === 'east' ? eastView : west;
  const [partition] = await view.admin.fetchTopicOffsets(topic);
  const end = Number(partition?.high ?? 0);
  await mirror.untilCopied(topic, end - 1);
  return end;
}

const w = (index: number): TestBridge => westBridges[index] as TestBridge;

test('a bridge refuses clients until a gateway says which cluster is active, and a client cannot say it', async () => {
  await until('it is ready', async () => (await probe(eastBridge)).status === 200);
  expect(await probe(eastBridge)).toEqual({ status: 200, cluster: 'east;unassigned', promotion: null });
  await send(eastBridge, { headers: { 'causeway-promotion': '0;east' } });
  const refused = await send(eastBridge);
  expect(refused.status).toBe(503);
  expect(refused.body.message).toContain('east has not been promoted');
  expect((await probe(eastBridge)).cluster).toBe('east;unassigned');
});

test('the cluster that gateways call active becomes it, and the other one serves reads of topics alone', async () => {
  await Promise.all([probe(eastBridge, '0;east'), probe(w(0), '0;east')]);
  await untilMode(eastBridge, 'east;active');
  await untilMode(w(1), 'west;standby');
  expect((await send(eastBridge)).status).toBe(200);
  // Nothing has ever filled the first active cluster.
  expect((await ask(eastBridge, '')).body.isReplicationEnded).toBe(true);
  const refused = await send(w(1));
  expect(refused.status).toBe(503);
  expect(refused.body.message).toContain('west stands by: east is active');
  expect(refused.headers.get('causeway-fault')).toBe('cluster');
  expect(refused.headers.get('causeway-promotion')).toBe('1;east');
  expect(refused.headers.get('retry-after')).toBe('1');
  const fromClient = await send(w(1), { headers: {} });
  expect(fromClient.status).toBe(503);
  expect(fromClient.headers.get('causeway-promotion')).toBeNull();
  expect((await w(1).post('/consumers/g', {})).status).toBe(503);
  expect(
    (
      await w(1).request('POST', '/admin/topics', {
        headers: { 'content-type': 'application/json' },
        body: '{"topic_name":"t"}',
      })
    ).status,
  ).toBe(503);
  for (const path of ['/topics', `/topics/${topic}`, `/topics/${topic}/partitions/0/offsets`, '/', '/openapi']) {
    expect((await w(1).get(path)).status).toBe(200);
  }
});

test('a switch-over and the one back lose and repeat nothing, and a bridge that was frozen meanwhile does not acknowledge what it began before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-clusters-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const config = {
    bridge: { name: 'frozen', region: 'east' },
    listen: { port: 0 },
    kafka: { bootstrapServers: [bootstrapOf('east')], cluster: 'east' },
    clusters: clustersOf('east'),
    trust: TEST_TRUST,
  };
  writeFileSync(join(directory, 'frozen.yaml'), JSON.stringify(config));
  const frozen = new BridgeProcess(directory, ['--config', 'frozen.yaml']);
  const url = await frozen.url();
  await until('the other bridge serves', async () => (await send({ url })).status === 200);

  await untilCopied();
  const keyed = { headers: { ...FROM_GATEWAY, 'idempotency-key': unique('key') }, value: 'keyed' };
  expect((await send(eastBridge, keyed)).status).toBe(200);
  const clients = Array.from({ length: 4 }, (_, index) => producing(eastBridge, `${index}-`));
  await until('clients produce', () => clients.every(({ acknowledged }) => acknowledged.length > 20));
  frozen.child.kill('SIGSTOP');
  const late = send({ url }, { value: 'late' });
  expect((await promote(w(0), '1;east')).body).toEqual({
    promotion: { number: 2, cluster: 'west' },
    kind: 'orderly',
    report: null,
  });
  await untilMode(eastBridge, 'east;standby');
  await Promise.all(clients.map(({ end }) => end()));
  for (const { statuses } of clients) expect([...statuses].sort()).toEqual([200, 503]);
  const acknowledged = clients.flatMap((client) => client.acknowledged);
  const numbered = (await valuesIn(west)).filter((value) => value.includes('-'));
  expect(numbered.length).toBe(new Set(numbered).size);
  expect(acknowledged.filter((value) => !numbered.includes(value))).toEqual([]);
  await turnMirror('west');
  await untilMode(w(1), 'west;active');
  expect((await send(w(1), { value: 'in west' })).status).toBe(200);
  // The same request again, of a gateway that had no response.
  expect((await promote(w(1), '1;east')).body).toMatchObject({ promotion: { number: 2, cluster: 'west' } });
  const behind = await promote(eastBridge, '1;east');
  expect(behind.status).toBe(409);
  expect(behind.headers.get('causeway-promotion')).toBe('2;west');

  // Whether MirrorMaker still fills the promoted cluster is noted in its log, for the promotion that made it active alone.
  const ended = (bridge: TestBridge, number: number, cluster: Name) =>
    ask(bridge, '/replication-ended', { promotion: { number, cluster }, by: 'a test' });
  const isEnded = async (bridge: TestBridge) => (await ask(bridge, '')).body.isReplicationEnded as boolean;
  expect(await isEnded(w(0))).toBe(false);
  expect((await ended(w(0), 1, 'west')).status).toBe(409);
  expect((await ended(eastBridge, 2, 'west')).status).toBe(409);
  expect(await ended(w(0), 2, 'west')).toMatchObject({
    status: 200,
    body: { promotion: { number: 2, cluster: 'west' } },
  });
  expect(await isEnded(w(0))).toBe(true);
  await until('the other bridge reads it', () => isEnded(w(1)));
  expect((await ended(w(1), 2, 'west')).status).toBe(200);

  await untilCopied('west');
  expect((await promote(eastBridge, '2;west')).body).toMatchObject({ promotion: { number: 3 }, kind: 'orderly' });
  expect(await isEnded(eastBridge)).toBe(false);
  await turnMirror('east');
  const inEast = await valuesIn(eastView, { markers: 1 });
  expect(inEast.filter((value) => value === 'in west')).toHaveLength(1);
  // What was refused is not stored, and what came back is not stored again.
  expect(inEast.filter((value) => value.includes('-') && !numbered.includes(value))).toEqual([]);
  expect(numbered.filter((value) => inEast.filter((other) => other === value).length !== 1)).toEqual([]);
  // East remembers the key, and its bridge takes the slot over again.
  expect((await send(eastBridge, keyed)).headers.get('idempotency-replayed')).toBe('true');
  // It began while 1;east held: its record may be behind what both switch-overs moved.
  frozen.child.kill('SIGCONT');
  const { status, body } = await late;
  expect({ status, message: body.message }).toMatchObject({
    status: 504,
    message: expect.stringContaining('whether it was executed is not known'),
  });
  expect((await send({ url })).status).toBe(200);
  await untilCopied();
  expect((await promote(w(0), '3;east')).body).toMatchObject({ promotion: { number: 4 }, kind: 'orderly' });
  await until('it learns', async () => (await send({ url })).body.message?.includes('east stands by') === true);
});

test('a pause ends by itself, and what its promoter hands over after that does not count', async () => {
  await writeLog('west', { kind: 'pausing', id: 'a', promotion: { number: 5, cluster: 'east' }, timeoutMs: 300 });
  await untilMode(w(0), 'west;pausing');
  expect((await send(w(0))).body.message).toContain('west hands over to east');
  await untilMode(w(0), 'west;active');
  expect((await send(w(0))).status).toBe(200);
  await writeLog('west', { kind: 'handedOver', id: 'a' });
  expect((await send(w(1))).status).toBe(200);
  expect((await probe(eastBridge)).cluster).toBe('east;standby');
});

test('a request that a pause refuses confirms what its client has, and nothing of that comes again', async () => {
  const consumer = await w(0).consumer(unique('group'), 'c', [], { 'auto.offset.reset': 'latest' });
  expect((await w(0).post(`${consumer.path}/subscription`, { topics: [topic] })).status).toBe(204);
  const poll = (mark: string) =>
    fetch(`${w(0).url}${consumer.path}/records?timeout=1000`, {
      headers: { ...FROM_GATEWAY, 'causeway-delivered': mark, accept: 'application/vnd.kafka.json.v2+json' },
    });
  await (await poll('')).arrayBuffer();
  const values = async (response: Response): Promise<unknown[]> =>
    ((await response.json()) as { value: unknown }[]).map(({ value }) => value);
  // A machine that is busy takes longer than a bridge waits for a confirmation: that says nothing.
  let round = 0;
  await until('the confirmation comes in time', async () => {
    round += 1;
    expect((await send(w(0), { value: `round ${round}` })).status).toBe(200);
    const delivered = await poll('');
    const mark = delivered.headers.get('causeway-delivery') ?? '';
    expect(await values(delivered)).toContain(`round ${round}`);
    const atMs = performance.now();
    await writeLog('west', {
      kind: 'pausing',
      id: `c${round}`,
      promotion: { number: 5, cluster: 'east' },
      timeoutMs: 1000,
    });
    await untilMode(w(0), 'west;pausing');
    expect((await poll(mark)).status).toBe(503);
    const tookMs = performance.now() - atMs;
    await untilMode(w(0), 'west;active');
    const rest = await values(await poll(''));
    if (tookMs > 400) return false;
    expect(rest).toEqual([]);
    return true;
  });
});

test('a log that was deleted is written again, and the cluster serves on', async () => {
  const client = producing(w(0), 'on');
  onTestFinished(() => client.end());
  await west.admin.deleteTopics({ topics: [CLUSTER_TOPIC] });
  await until(
    'the log is there again',
    async () => Number((await west.admin.fetchTopicOffsets(CLUSTER_TOPIC))[0]?.high) > 0,
  );
  const starting = await startBridge('w3', 'west');
  onTestFinished(() => starting.close());
  await untilMode(starting, 'west;active');
  const count = client.acknowledged.length;
  await until('the client continues', () => client.acknowledged.length > count);
  await client.end();
  expect((await probe(starting)).promotion).toBe('4;west');
  expect([...client.statuses]).toEqual([200]);
});

test('a bridge that starts waits for the log of the other cluster before it serves, and not long', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const startedAtMs = performance.now();
  const { port } = silent.address() as AddressInfo;
  const peer = { name: 'east', bootstrapServers: [`127.0.0.1:${port}`] };
  const starting = await startBridge('w3', 'west', { peer });
  onTestFinished(() => starting.close());
  await until('it serves', async () => (await send(starting)).status === 200);
  expect(performance.now() - startedAtMs).toBeGreaterThan(950);
});

test('a switch-over whose promoter died behind the point of no return is completed by another bridge', async () => {
  await turnMirror('west');
  const promotion = { number: 5, cluster: 'east' };
  await writeLog('west', { kind: 'pausing', id: 'b', promotion, timeoutMs: 60_000 }, { kind: 'handedOver', id: 'b' });
  await untilMode(eastBridge, 'east;active');
  await untilMode(w(0), 'west;standby');
  await turnMirror('east');
  expect((await send(eastBridge)).status).toBe(200);
  expect((await ask(eastBridge, '')).body).toMatchObject({
    promotion,
    promoted: { kind: 'orderly', reason: 'west handed over' },
  });
});

test('without the last records, a switch-over ends as if it had not begun', async () => {
  await untilCopied();
  mirror.pause();
  expect((await send(eastBridge, { value: 'not copied' })).status).toBe(200);
  // So asks a gateway that takes all bridges of east for dead: its Kafka lives, and nothing of it is given up.
  const refused = await promote(w(1), '5;east', { mayLose: true });
  expect(refused.status).toBe(409);
  expect(refused.body.message).toContain(
    `replication did not catch up within ${IMPATIENT_MS} ms: 1 records are missing`,
  );
  await untilMode(eastBridge, 'east;active');
  expect((await send(eastBridge)).status).toBe(200);
  mirror.resume();
});

test('when the active cluster is gone, the other one is promoted if records may be lost, and reports which', async () => {
  const copied = await untilCopied();
  mirror.pause();
  for (let count = 0; count < 3; count += 1)
    expect((await send(eastBridge, { value: `lost ${count}` })).status).toBe(200);
  await until('the loss is measured', async () => (await ask(w(0), '')).body.replication?.records === 3);
  await east.cluster.killBroker(1);
  const refused = await promote(w(0), '5;east');
  expect(refused.status).toBe(409);
  expect(refused.body.message).toContain('up to 3 records would be lost');
  // Two gateways ask two bridges at one moment.
  const [forced, other] = await Promise.all([0, 1].map((index) => promote(w(index), '5;east', { mayLose: true })));
  expect(other?.body).toEqual(forced?.body);
  const range = { topic, partition: 0, from: copied, to: copied + 3, records: 3 };
  expect(forced?.body).toMatchObject({
    promotion: { number: 6, cluster: 'west' },
    kind: 'forced',
    report: { lost: 'east', isFinal: false, ranges: [range] },
  });
  await untilMode(w(1), 'west;active');
  expect((await send(w(1), { value: 'after' })).status).toBe(200);
  expect((await ask(w(1), '')).body.reports).toEqual([forced?.body.report]);
});

test('a cluster that returns is fenced, also for a bridge that starts; it rejoins with an exact report of its own records', async () => {
  await east.cluster.restartBroker(1);
  const starting = await startBridge('e2', 'east');
  onTestFinished(() => starting.close());
  // Its own log says that it is active, and no gateway has said otherwise yet.
  const client = producing(starting, 'old');
  onTestFinished(() => client.end());
  await untilMode(starting, 'east;fenced');
  await client.end();
  expect(client.acknowledged).toEqual([]);
  await untilMode(eastBridge, 'east;fenced');
  for (const bridge of [eastBridge, starting]) {
    const refused = await send(bridge);
    expect(refused.status).toBe(503);
    expect(refused.body.message).toContain('east is fenced: west was promoted');
  }
  expect((await promote(eastBridge, '6;west', { mayLose: true })).body.message).toContain('let it rejoin first');
  // Only the active cluster can say what was replicated.
  const [nowhere = 0] = await findFreePorts(1);
  const alone = await startBridge('e3', 'east', { peer: { name: 'west', bootstrapServers: [`127.0.0.1:${nowhere}`] } });
  onTestFinished(() => alone.close());
  await until('it is fenced', async () => (await probe(alone, '6;west')).cluster === 'east;fenced');
  const unknown = await ask(alone, '/rejoin', {});
  expect(unknown.status).toBe(409);
  expect(unknown.body.message).toContain('west cannot be reached, which knows what east alone has');
  const rejoined = await ask(eastBridge, '/rejoin', {});
  expect(rejoined.body).toMatchObject({
    promotion: { number: 6, cluster: 'west' },
    report: { lost: 'east', isFinal: true, ranges: [{ topic, partition: 0, records: 3 }] },
  });
  const [{ from, to }] = rejoined.body.report.ranges;
  const tail = await ask(starting, '/tail', { topic, partition: 0, from, to });
  expect(tail.body).toMatchObject({ next: null, records: [{ offset: from }, {}, {}] });
  const beyond = await ask(starting, '/tail', { topic, partition: 0, from: from - 1, to });
  expect(beyond).toMatchObject({ status: 409, body: { message: expect.stringContaining('in no final report') } });
  await untilMode(starting, 'east;standby');
  expect((await ask(w(0), '')).body.reports[0]).toEqual(rejoined.body.report);
  expect((await ask(eastBridge, '/rejoin', {})).status).toBe(409);
});

test('where consistency is preferred, the active cluster serves only while it reads the log of the other one', async () => {
  const careful = await startBridge('w3', 'west', { prefer: 'consistency' });
  onTestFinished(() => careful.close());
  await untilMode(careful, 'west;active');
  // A forced promotion stands alone until the lost cluster has rejoined.
  await writeLog('west', { kind: 'peerJoined', promotion: { number: 6, cluster: 'west' } });
  await until('it serves', async () => (await send(careful)).status === 200);
  await east.cluster.killBroker(1);
  await until('it stops', async () => (await send(careful)).status === 503);
  expect((await send(w(0))).status).toBe(200);
});

test('without its peer, a fenced cluster rejoins on the word of an operator alone, and can be promoted then, which takes the old lease', async () => {
  await east.cluster.restartBroker(1);
  const [nowhere = 0] = await findFreePorts(1);
  const alone = async (name: string, cluster: Name, settings: object = {}): Promise<TestBridge> => {
    const peer = { name: OTHER[cluster], bootstrapServers: [`127.0.0.1:${nowhere}`] };
    const bridge = await startBridge(name, cluster, { peer, ...settings });
    onTestFinished(() => bridge.close());
    return bridge;
  };
  const eastAlone = await alone('e4', 'east');
  await untilMode(eastAlone, 'east;standby');
  expect((await promote(eastAlone, '6;west', { mayLose: true })).body).toMatchObject({
    promotion: { number: 7, cluster: 'east' },
    kind: 'forced',
    // It has never seen what west has.
    report: { lost: 'west', endsAgeMs: null, isFinal: false, ranges: [] },
  });
  // East's Kafka dies, and with it what west would have to ask.
  await east.cluster.killBroker(1);
  const westAlone = await alone('w4', 'west', { prefer: 'consistency' });
  await until('it is fenced', async () => (await probe(westAlone, '7;east')).cluster === 'west;fenced');
  expect((await promote(westAlone, '7;east', { mayLose: true })).body.message).toContain('let it rejoin first');
  expect(await ask(westAlone, '/rejoin', {})).toMatchObject({ status: 409 });
  expect(await ask(westAlone, '/rejoin', { isPeerGone: true })).toMatchObject({
    status: 200,
    body: { promotion: { number: 7, cluster: 'east' }, report: null },
  });
  await untilMode(westAlone, 'west;standby');
  const atMs = performance.now();
  expect((await promote(westAlone, '7;east', { mayLose: true })).body).toMatchObject({
    promotion: { number: 8, cluster: 'west' },
    kind: 'forced',
  });
  await until('it serves', async () => (await send(westAlone)).status === 200);
  // Where consistency is preferred, a bridge of east that is cut off must have stopped by then.
  expect(performance.now() - atMs).toBeGreaterThanOrEqual(1.2 * LEASE_MS);
});

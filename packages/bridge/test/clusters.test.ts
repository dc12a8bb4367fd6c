/** Two Kafka clusters of which one is active: who serves, how that changes, and what a cluster that returns may do. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { CLUSTER_TOPIC } from '../src/clusters/cluster-topic.ts';

const FROM_GATEWAY = { ...PROOF, 'causeway-gateway': 'edge' };
const FROM_OPERATOR = { ...FROM_GATEWAY, 'causeway-operator': 'edge' };

/** East is a Kafka that dies. */
let east: OwnKafka;
let westBootstrap: string;
let west: KafkaView;
let eastBridge: TestBridge;
let westBridges: TestBridge[];
let topic: string;

function startBridge(name: string, cluster: 'east' | 'west'): Promise<TestBridge> {
  const kafkas = { east: east.cluster.bootstrap, west: westBootstrap };
  const other = cluster === 'east' ? 'west' : 'east';
  return TestBridge.start(kafkas[cluster], {
    bridge: { name, region: cluster },
    kafka: { cluster },
    clusters: { peer: { name: other, bootstrapServers: [kafkas[other]] }, leaseMs: 400, switchOverTimeoutMs: 5000 },
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
  const eastView = await KafkaView.connect(east.cluster.bootstrap);
  await Promise.all([eastView.createTopic(topic), west.createTopic(topic)]);
  await eastView.close();
  eastBridge = await startBridge('e1', 'east');
  westBridges = await Promise.all([startBridge('w1', 'west'), startBridge('w2', 'west')]);
});
afterAll(async () => {
  await Promise.all([eastBridge, ...(westBridges ?? [])].map((bridge) => bridge?.close()));
  await west?.close();
  await east?.close();
});

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

async function send(bridge: TestBridge, headers: Record<string, string> = FROM_GATEWAY) {
  const body = JSON.stringify({ records: [{ value: 'v' }] });
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

const w = (index: number): TestBridge => westBridges[index] as TestBridge;

test('a bridge refuses clients until a gateway says which cluster is active, and a client cannot say it', async () => {
  await until('it is ready', async () => (await probe(eastBridge)).status === 200);
  expect(await probe(eastBridge)).toEqual({ status: 200, cluster: 'east;unassigned', promotion: null });
  await send(eastBridge, { 'causeway-promotion': '0;east' });
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
  const refused = await send(w(1));
  expect(refused.status).toBe(503);
  expect(refused.body.message).toContain('west stands by: east is active');
  expect(refused.headers.get('causeway-fault')).toBe('cluster');
  expect(refused.headers.get('causeway-promotion')).toBe('1;east');
  expect(refused.headers.get('retry-after')).toBe('1');
  const fromClient = await send(w(1), {});
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

test('a switch-over moves the clients, and every bridge of the promoted cluster serves', async () => {
  const promoted = await promote(w(0), '1;east');
  expect(promoted.body).toMatchObject({ promotion: { number: 2, cluster: 'west' }, kind: 'orderly', report: null });
  await untilMode(eastBridge, 'east;standby');
  await untilMode(w(1), 'west;active');
  expect((await send(w(1))).status).toBe(200);
  expect((await send(eastBridge)).body.message).toContain('east stands by: west is active');
  // The same request again, of a gateway that had no response.
  expect((await promote(w(1), '1;east')).body).toMatchObject({
    promotion: { number: 2, cluster: 'west' },
    kind: 'orderly',
  });
  const behind = await promote(eastBridge, '1;east');
  expect(behind.status).toBe(409);
  expect(behind.headers.get('causeway-promotion')).toBe('2;west');
});

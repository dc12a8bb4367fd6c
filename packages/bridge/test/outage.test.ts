/** What clients see when Kafka goes and comes back; on a Kafka of its own, because it is killed. */
import { MachinePace } from '@causeway/lab/machine-pace.ts';
import type { KafkaCluster } from '@causeway/lab/stack/kafka.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { FAULT_HEADER, FAULT_OF_KAFKA, GATEWAY_HEADER } from '@causeway/protocol/routing.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';

/** A response of Kafka counts for 2 s (`readiness.maxAgeMs`), and a resumed broker needs its time. */
const READY_TURNS_MS = 10_000;
const REQUEST_TIMEOUT_MS = 5000;
/** Of each, on a machine that does nothing else. */
const WORK_MS = 500;

const pace = new MachinePace();
afterAll(() => pace.close());

let own: OwnKafka;
let cluster: KafkaCluster;
let bridge: TestBridge;

beforeAll(async () => {
  const ports = await findFreePorts(2);
  // The bridge is there before Kafka is.
  bridge = await TestBridge.start(`127.0.0.1:${ports[0]}`, {
    kafka: { requestTimeoutMs: REQUEST_TIMEOUT_MS, sessionTimeoutMs: 10_000 },
    producer: { maxBlockMs: 1000, deliveryTimeoutMs: 1500 },
  });
  expect(await bridge.get('/healthy')).toMatchObject({ status: 200 });
  expect(await bridge.get('/ready')).toMatchObject({ status: 503, body: { error_code: 503 } });
  own = await startOwnKafka({ brokerCount: 1, ports });
  cluster = own.cluster;
});

afterAll(async () => {
  await bridge?.close();
  await own?.close();
});

/** How long /ready takes to answer `status`. */
async function readyTurns(status: number): Promise<number> {
  const startedAtMs = performance.now();
  await until(`/ready is ${status}`, async () => (await bridge.get('/ready')).status === status);
  return performance.now() - startedAtMs;
}

async function timed<T>(operation: Promise<T>): Promise<{ result: T; durationMs: number }> {
  const startedAtMs = performance.now();
  const result = await operation;
  return { result, durationMs: performance.now() - startedAtMs };
}

test('Kafka that stops answering, dies and comes back', async () => {
  await readyTurns(200);
  const topic = await createTopic();
  const group = unique('group');
  const consumer = await bridge.consumer(group, 'c', [topic]);
  await bridge.produce(topic, { records: [{ value: '1' }, { value: '2' }] });
  expect((await consumer.take(2)).map(({ value }) => value)).toEqual(['1', '2']);

  const [broker] = cluster.brokers;
  if (broker === undefined) throw new Error('no broker');
  broker.process.signal('SIGSTOP');
  expect(await readyTurns(503)).toBeLessThan(pace.boundMs(READY_TURNS_MS, WORK_MS));
  expect((await bridge.get('/ready')).body.message).toMatch(/Kafka does not answer/);
  broker.process.signal('SIGCONT');
  expect(await readyTurns(200)).toBeLessThan(pace.boundMs(READY_TURNS_MS, WORK_MS));

  await cluster.killBroker(broker.id);
  expect(await readyTurns(503)).toBeLessThan(pace.boundMs(READY_TURNS_MS, WORK_MS));
  await expectBoundedFailures(topic, consumer.path);

  // Sent before Kafka is back, and stored when it is.
  const restarting = cluster.restartBroker(broker.id);
  const late = produceUntilStored(topic, '3');
  await restarting;
  await readyTurns(200);
  await late;
  // The consumer continues: nothing is missing, and the response before the outage need not come again.
  const records = await consumer.take(1);
  expect(records.map(({ value }) => value)).toContain('3');
  expect((await consumer.commit()).status).toBe(204);
  expect((await consumer.delete()).status).toBe(204);
});

async function createTopic(): Promise<string> {
  const kafka = await KafkaView.connect(cluster.bootstrap);
  try {
    return await kafka.topic();
  } finally {
    await kafka.close();
  }
}

/** Every operation answers within its time, in the shape of the API. */
async function expectBoundedFailures(topic: string, consumerPath: string): Promise<void> {
  const [produced, unknown, listed, described, polled, committed, created] = await Promise.all([
    timed(bridge.produce(topic, { records: [{ value: 'lost' }] })),
    timed(bridge.produce('never-seen', { records: [{ value: 'x' }] })),
    timed(bridge.get('/topics', { [GATEWAY_HEADER]: 'tier1', ...PROOF })),
    timed(bridge.get(`/topics/${topic}`)),
    timed(bridge.get(`${consumerPath}/records?timeout=500`)),
    timed(bridge.post(`${consumerPath}/offsets`, { offsets: [{ topic, partition: 0, offset: 1 }] })),
    timed(bridge.post(`/consumers/${unique('group')}`, { name: 'while-down' })),
  ]);
  expect(produced.result.body.offsets).toEqual([
    {
      error_code: 500,
      message: `Expiring 1 record(s) for ${topic}-0:1500 ms has passed since batch creation`,
    },
  ]);
  expect(unknown.result.body.offsets).toEqual([
    { error_code: 404, message: 'Topic never-seen not present in metadata after 1000 ms.' },
  ]);
  for (const { result } of [listed, described, polled, committed, created]) {
    expect(result).toMatchObject({ status: 503, body: { error_code: 503 } });
    // Clients do not learn the addresses of brokers.
    expect(result.text).not.toContain('127.0.0.1');
  }
  // A gateway learns that the bridge is not at fault.
  expect(listed.result.headers.get(FAULT_HEADER)).toBe(FAULT_OF_KAFKA);
  expect(described.result.headers.get(FAULT_HEADER)).toBeNull();
  // The commit waits for the poll, which takes a second at most, and then for one request; two would be too many.
  for (const { durationMs } of [produced, unknown, listed, described, polled, committed, created]) {
    expect(durationMs).toBeLessThan(pace.boundMs(2 * REQUEST_TIMEOUT_MS, WORK_MS));
  }
}

async function produceUntilStored(topic: string, value: string): Promise<void> {
  const isStored = async (): Promise<boolean> => {
    const { body } = await bridge.produce(topic, { records: [{ value }] });
    return 'offset' in body.offsets[0];
  };
  // The start of a broker is in it, which takes its time on a machine that has other work.
  await until('the record is stored', isStored, { timeoutMs: 30_000 });
}

/** Kafka freezes, goes and comes back, for clients of a bridge and for its session log; on a Kafka of its own, because it is killed. */
import { MachinePace } from '@causeway/lab/machine-pace.ts';
import type { KafkaBroker } from '@causeway/lab/stack/kafka-broker.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { FAULT_HEADER, FAULT_OF_KAFKA, GATEWAY_HEADER } from '@causeway/protocol/routing.ts';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type JsonAnswer, TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { readClocks } from '../src/clock.ts';
import type { Cluster } from '../src/kafka/client/cluster.ts';
import { within } from '../src/kafka/client/limits.ts';
import { DEFAULT_LEASE_MS, isConfirmed } from '../src/ownership/rules.ts';
import type { EntryValue } from '../src/ownership/session-entry.ts';
import { SessionLog } from '../src/ownership/session-log.ts';

/** A response of Kafka counts for 2 s (`readiness.maxAgeMs`), and a resumed broker needs its time. */
const READY_TURNS_MS = 10_000;
const REQUEST_TIMEOUT_MS = 5000;
/** Of each, on a machine that does nothing else. */
const WORK_MS = 500;
/** A turn and the question whether Kafka is there take a second each; a gateway waits for 10 s (`request.pollMarginMs`). */
const POLL_MARGIN_MS = 6000;
/** What a gateway waits for an answer to anything else, at least. */
const ANSWER_MS = 15_000;
/** The start of a broker is in it, which takes its time on a machine that has other work. */
const RESTART = { timeoutMs: 60_000 };

const pace = new MachinePace();
afterAll(() => pace.close());

let own: OwnKafka;
let broker: KafkaBroker;
let kafka: KafkaView;
let bridge: TestBridge;
let cluster: Cluster;
let log: SessionLog;
const troubles: (string | undefined)[] = [];

beforeAll(async () => {
  const ports = await findFreePorts(2);
  // The bridge is there before Kafka is, and so is a session log.
  bridge = await TestBridge.start(`127.0.0.1:${ports[0]}`, {
    kafka: { requestTimeoutMs: REQUEST_TIMEOUT_MS, sessionTimeoutMs: 10_000 },
    producer: { maxBlockMs: 1000, deliveryTimeoutMs: 1500 },
  });
  expect(await bridge.get('/healthy')).toMatchObject({ status: 200 });
  expect(await bridge.get('/ready')).toMatchObject({ status: 503, body: { error_code: 503 } });
  cluster = testCluster(`127.0.0.1:${ports[0]}`);
  log = new SessionLog(cluster, { requestTimeoutMs: 2000, onTrouble: (reason) => troubles.push(reason) });
  log.start();
  await expect(log.readToEnd(within(500))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  expect(log.unreadyReason).toBeDefined();
  own = await startOwnKafka({ brokerCount: 1, ports });
  [broker] = own.cluster.brokers as [KafkaBroker];
  kafka = await KafkaView.connect(own.cluster.bootstrap);
});

afterAll(async () => {
  broker?.process.signal('SIGCONT');
  await log?.close();
  await cluster?.close();
  await bridge?.close();
  await kafka?.close();
  await own?.close();
});

async function timed(answer: Promise<JsonAnswer>): Promise<{ answer: JsonAnswer; durationMs: number }> {
  const startedAtMs = performance.now();
  return { answer: await answer, durationMs: performance.now() - startedAtMs };
}

/** It reads a topic of its own, with a record that it was not given and one that it was. */
async function reader(patient: TestBridge, topic: string, options: object = {}): Promise<TestConsumer> {
  const consumer = await patient.consumer(unique('group'), 'c', [topic], options);
  expect(await consumer.take(1)).toHaveLength(1);
  return consumer;
}

async function newTopic(): Promise<string> {
  const topic = await kafka.topic();
  await kafka.write(topic, [{ value: '1' }]);
  return topic;
}

const POLL_TIMEOUTS_MS = [0, 100, 1000, 3000];

test('every operation that needs Kafka responds 503 with the reason, within its time, and works afterwards', async () => {
  const patient = await TestBridge.start(own.cluster.bootstrap, {
    kafka: { requestTimeoutMs: 4000, sessionTimeoutMs: 60_000 },
  });
  onTestFinished(() => patient.close());
  await until('it is ready', async () => (await patient.get('/ready')).status === 200);
  const topic = await newTopic();
  const polling = await Promise.all(POLL_TIMEOUTS_MS.map(() => reader(patient, topic)));
  const [behind, asked, waiting] = await Promise.all([
    reader(patient, topic),
    reader(patient, topic),
    reader(patient, topic),
  ]);
  const fresh = await patient.consumer(unique('group'), 'fresh', [topic]);
  const begun = waiting.poll('timeout=3000');
  await patient.get(`${waiting.path}/positions`);

  broker.process.signal('SIGSTOP');
  const polls = POLL_TIMEOUTS_MS.map((timeoutMs, index) => {
    const consumer = polling[index] ?? fresh;
    return {
      name: `poll ${timeoutMs}`,
      limitMs: timeoutMs + POLL_MARGIN_MS,
      sent: consumer.poll(`timeout=${timeoutMs}`),
    };
  });
  const pending = behind.commit({ offsets: [{ topic, partition: 0, offset: 0 }] });
  const others = {
    commit: pending,
    'first poll': fresh.poll('timeout=500'),
    'committed offsets': patient.get(`${asked.path}/offsets`),
    topics: patient.get('/topics'),
    topic: patient.get(`/topics/${topic}`),
    partitions: patient.get(`/topics/${topic}/partitions`),
    'ends of a partition': patient.get(`/topics/${topic}/partitions/0/offsets`),
    create: patient.post(`/consumers/${unique('group')}`, { name: 'new' }),
    'an unknown consumer': patient.get(`/consumers/${unique('group')}/instances/c/records`),
  };
  const requests = [
    ...polls,
    { name: 'poll behind a commit', limitMs: 1000 + POLL_MARGIN_MS, sent: behind.poll('timeout=1000') },
    ...Object.entries(others).map(([name, sent]) => ({ name, limitMs: ANSWER_MS, sent })),
  ];
  const seen = await Promise.all(
    requests.map(async ({ name, limitMs, sent }) => ({ name, limitMs, ...(await timed(sent)) })),
  );
  for (const { name, limitMs, answer, durationMs } of seen) {
    expect({ name, status: answer.status, code: answer.body?.error_code }).toEqual({ name, status: 503, code: 503 });
    expect(answer.body.message, name).toMatch(/Kafka/);
    expect(durationMs, name).toBeLessThan(limitMs);
  }
  // It was under way when Kafka stopped.
  const { status, body } = await begun;
  expect(status === 200 ? body : []).toEqual([]);
  // Its group has not answered: what it reads is not known.
  for (const report of ['subscription', 'assignments', 'positions', 'offsets']) {
    expect({ report, status: (await patient.get(`${fresh.path}/${report}`)).status }).toEqual({ report, status: 503 });
  }

  broker.process.signal('SIGCONT');
  await until('/ready reports it', async () => (await patient.get('/ready')).status === 200);
  await kafka.write(topic, [{ value: '2' }]);
  for (const consumer of [...polling, behind, asked, waiting]) {
    expect((await consumer.take(1)).at(-1)?.value).toBe(2);
  }
  expect((await fresh.take(2)).map(({ value }) => value)).toEqual([1, 2]);
});

const IDENTITY = { group: 'g', name: 'c' };

async function write(epoch: number): Promise<string> {
  const value: EntryValue = { version: 1, owner: 'east/b', state: 'deleted', writtenAtMs: 0, createdAtMs: 0 };
  return (await log.append(IDENTITY, { epoch, id: `${epoch}` }, value, within(20_000))).kind;
}

function isNowConfirmed(): boolean {
  return isConfirmed(log.confirmedAt(IDENTITY), readClocks(), DEFAULT_LEASE_MS);
}

async function isConfirmedWhenAsked(): Promise<boolean> {
  await log.readToEnd(within(2000)).catch(() => {});
  return isNowConfirmed();
}

test('the session log is readable once Kafka is, confirms nothing while Kafka is frozen, and continues after that', async () => {
  await until('the log is read', () => log.unreadyReason === undefined, { timeoutMs: 60_000 });
  await until('a claim is stored', async () => (await write(1)) === 'stored');
  await until('it is confirmed', isConfirmedWhenAsked);

  broker.process.signal('SIGSTOP');
  await until('nothing is confirmed any more', () => !isNowConfirmed());
  await expect(log.readToEnd(within(500))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  // Whether it will be stored is unknown.
  expect(await write(2)).toBe('unknown');
  await until('it reports why', () => log.unreadyReason !== undefined);
  broker.process.signal('SIGCONT');
  await until('it continues', async () => (await isConfirmedWhenAsked()) && log.unreadyReason === undefined);
});

/** While Kafka is dead; the promise that it returns is for the time after. */
async function expectLogSurvives(): Promise<() => Promise<void>> {
  await until('it reports why', () => log.unreadyReason !== undefined);
  expect(log.get(IDENTITY)).toBeDefined();
  return async () => {
    await until('it continues', async () => (await isConfirmedWhenAsked()) && log.unreadyReason === undefined, RESTART);
    await until('a claim is stored again', async () => (await write(3)) === 'stored');
    await log.readToEnd(within(20_000));
    expect(log.get(IDENTITY)?.epoch).toBe(3);
    // Reported once for each change, not at each attempt.
    expect(troubles.filter((reason, at) => at > 0 && reason === troubles[at - 1])).toEqual([]);
    expect(troubles.filter((reason) => reason === undefined).length).toBeGreaterThanOrEqual(3);
  };
}

/** How long /ready takes to answer `status`. */
async function readyTurns(status: number): Promise<number> {
  const startedAtMs = performance.now();
  await until(`/ready is ${status}`, async () => (await bridge.get('/ready')).status === status);
  return performance.now() - startedAtMs;
}

test('Kafka that stops answering, dies and comes back, for clients and for the session log', async () => {
  await readyTurns(200);
  const topic = await kafka.topic();
  const group = unique('group');
  const consumer = await bridge.consumer(group, 'c', [topic]);
  await bridge.produce(topic, { records: [{ value: '1' }, { value: '2' }] });
  expect((await consumer.take(2)).map(({ value }) => value)).toEqual(['1', '2']);

  broker.process.signal('SIGSTOP');
  expect(await readyTurns(503)).toBeLessThan(pace.boundMs(READY_TURNS_MS, WORK_MS));
  expect((await bridge.get('/ready')).body.message).toMatch(/Kafka does not answer/);
  broker.process.signal('SIGCONT');
  expect(await readyTurns(200)).toBeLessThan(pace.boundMs(READY_TURNS_MS, WORK_MS));

  await broker.kill();
  expect(await readyTurns(503)).toBeLessThan(pace.boundMs(READY_TURNS_MS, WORK_MS));
  await expectBoundedFailures(topic, consumer.path);
  const expectLogContinues = await expectLogSurvives();

  // Sent before Kafka is back, and stored when it is.
  const restarting = broker.start();
  const late = produceUntilStored(topic, '3');
  await restarting;
  await readyTurns(200);
  await late;
  // The consumer continues: nothing is missing, and the response before the outage need not come again.
  const records = await consumer.take(1);
  expect(records.map(({ value }) => value)).toContain('3');
  expect((await consumer.commit()).status).toBe(204);
  expect((await consumer.delete()).status).toBe(204);
  await expectLogContinues();
});

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
  expect(produced.answer.body.offsets).toEqual([
    {
      error_code: 500,
      message: `Expiring 1 record(s) for ${topic}-0:1500 ms has passed since batch creation`,
    },
  ]);
  expect(unknown.answer.body.offsets).toEqual([
    { error_code: 404, message: 'Topic never-seen not present in metadata after 1000 ms.' },
  ]);
  for (const { answer } of [listed, described, polled, committed, created]) {
    expect(answer).toMatchObject({ status: 503, body: { error_code: 503 } });
    // Clients do not learn the addresses of brokers.
    expect(answer.text).not.toContain('127.0.0.1');
  }
  // A gateway learns that the bridge is not at fault.
  expect(listed.answer.headers.get(FAULT_HEADER)).toBe(FAULT_OF_KAFKA);
  expect(described.answer.headers.get(FAULT_HEADER)).toBeNull();
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
  await until('the record is stored', isStored, RESTART);
}

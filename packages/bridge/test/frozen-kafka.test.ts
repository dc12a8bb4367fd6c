/** Kafka freezes: the bridge reports in time that it does not know, and never that there is nothing. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonAnswer, TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';

/** A turn and the question whether Kafka is there take a second each; a gateway waits for 10 s (`request.pollMarginMs`). */
const POLL_MARGIN_MS = 6000;
/** What a gateway waits for an answer to anything else, at least. */
const ANSWER_MS = 15_000;

let own: OwnKafka;
let kafka: KafkaView;
let bridge: TestBridge;

beforeAll(async () => {
  own = await startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2) });
  kafka = await KafkaView.connect(own.cluster.bootstrap);
  bridge = await TestBridge.start(own.cluster.bootstrap, {
    kafka: { requestTimeoutMs: 4000, sessionTimeoutMs: 60_000 },
  });
});

afterAll(async () => {
  signal('SIGCONT');
  await bridge?.close();
  await kafka?.close();
  await own?.close();
});

function signal(name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const broker of own?.cluster.brokers ?? []) broker.process.signal(name);
}

/** It reads a topic of its own, with a record that it was not given and one that it was. */
async function reader(topic: string, options: object = {}): Promise<TestConsumer> {
  const consumer = await bridge.consumer(unique('group'), 'c', [topic], options);
  expect(await consumer.take(1)).toHaveLength(1);
  return consumer;
}

async function newTopic(): Promise<string> {
  const topic = await kafka.topic();
  await kafka.write(topic, [{ value: '1' }]);
  return topic;
}

async function timed(answer: Promise<JsonAnswer>): Promise<{ answer: JsonAnswer; durationMs: number }> {
  const startedAtMs = performance.now();
  return { answer: await answer, durationMs: performance.now() - startedAtMs };
}

const POLL_TIMEOUTS_MS = [0, 100, 1000, 3000];

test('every operation that needs Kafka responds 503 with the reason, within its time, and works afterwards', async () => {
  const topic = await newTopic();
  const polling = await Promise.all(POLL_TIMEOUTS_MS.map(() => reader(topic)));
  const [behind, asked, waiting] = await Promise.all([reader(topic), reader(topic), reader(topic)]);
  const fresh = await bridge.consumer(unique('group'), 'fresh', [topic]);
  const begun = waiting.poll('timeout=3000');
  await bridge.get(`${waiting.path}/positions`);

  signal('SIGSTOP');
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
    'committed offsets': bridge.get(`${asked.path}/offsets`),
    topics: bridge.get('/topics'),
    topic: bridge.get(`/topics/${topic}`),
    partitions: bridge.get(`/topics/${topic}/partitions`),
    'ends of a partition': bridge.get(`/topics/${topic}/partitions/0/offsets`),
    create: bridge.post(`/consumers/${unique('group')}`, { name: 'new' }),
    'an unknown consumer': bridge.get(`/consumers/${unique('group')}/instances/c/records`),
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
    expect({ report, status: (await bridge.get(`${fresh.path}/${report}`)).status }).toEqual({ report, status: 503 });
  }

  signal('SIGCONT');
  await until('/ready reports it', async () => (await bridge.get('/ready')).status === 200);
  await kafka.write(topic, [{ value: '2' }]);
  for (const consumer of [...polling, behind, asked, waiting]) {
    expect((await consumer.take(1)).at(-1)?.value).toBe(2);
  }
  expect((await fresh.take(2)).map(({ value }) => value)).toEqual([1, 2]);
});

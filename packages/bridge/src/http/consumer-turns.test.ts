/** Concurrent requests of one consumer: which run beside a waiting poll, and which are refused. */
import { describe, expect, test } from 'vitest';
import { bridgeOfFile, type JsonAnswer, kafkaOfFile, type TestConsumer } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../test/harness/stopwatch.ts';
import { until } from '../../../../test/harness/until.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

/** Longer than any operation takes on a busy machine, and longer than a gateway waits for a response. */
const POLL_MS = 40_000;

interface Scene {
  topic: string;
  consumer: TestConsumer;
}

type Operation = [name: string, status: number, send: (scene: Scene) => Promise<JsonAnswer>];

const at = (topic: string, offset: number) => ({ offsets: [{ topic, partition: 0, offset }] });
const partitions = (topic: string) => ({ partitions: [{ topic, partition: 0 }] });

const ANY: readonly Operation[] = [
  ['commit of everything', 204, ({ consumer }) => consumer.commit()],
  ['commit of an offset', 204, ({ consumer, topic }) => consumer.commit(at(topic, 0))],
  ['seek', 204, ({ consumer, topic }) => bridge.post(`${consumer.path}/positions`, at(topic, 0))],
  [
    'seek to the beginning',
    204,
    ({ consumer, topic }) => bridge.post(`${consumer.path}/positions/beginning`, partitions(topic)),
  ],
  ['seek to the end', 204, ({ consumer, topic }) => bridge.post(`${consumer.path}/positions/end`, partitions(topic))],
  ['committed offsets', 200, ({ consumer }) => bridge.get(`${consumer.path}/offsets`)],
  ['positions', 200, ({ consumer }) => bridge.get(`${consumer.path}/positions`)],
  ['assignments', 200, ({ consumer }) => bridge.get(`${consumer.path}/assignments`)],
  ['subscription', 200, ({ consumer }) => bridge.get(`${consumer.path}/subscription`)],
];

const READINGS = [
  [
    'subscribed',
    async ({ consumer, topic }: Scene) => bridge.post(`${consumer.path}/subscription`, { topics: [topic] }),
    [
      ...ANY,
      [
        'another subscription',
        204,
        async ({ consumer, topic }) =>
          bridge.post(`${consumer.path}/subscription`, { topics: [topic, await kafka.topic()] }),
      ],
    ] satisfies readonly Operation[],
  ],
  [
    'assigned',
    async ({ consumer, topic }: Scene) => bridge.post(`${consumer.path}/assignments`, partitions(topic)),
    [
      ...ANY,
      [
        'another assignment',
        204,
        async ({ consumer, topic }) =>
          bridge.post(`${consumer.path}/assignments`, {
            partitions: [...partitions(topic).partitions, ...partitions(await kafka.topic()).partitions],
          }),
      ],
    ] satisfies readonly Operation[],
  ],
] as const;

/** A consumer that reads an empty topic, and whose poll waits. */
async function waitingScene(read: (scene: Scene) => Promise<JsonAnswer>): Promise<Scene & { poll: Waiting }> {
  const topic = await kafka.topic();
  const consumer = await bridge.consumer(unique('group'), 'c', []);
  expect((await read({ consumer, topic })).status).toBe(204);
  await until('it reads the topic', async () => {
    expect((await consumer.poll('timeout=500')).status).toBe(200);
    return (await bridge.get(`${consumer.path}/positions`)).body.offsets.length > 0;
  });
  return { topic, consumer, poll: new Waiting(consumer.poll(`timeout=${POLL_MS}`)) };
}

class Waiting {
  readonly answer: Promise<JsonAnswer>;
  isOver = false;

  constructor(answer: Promise<JsonAnswer>) {
    this.answer = answer.finally(() => {
      this.isOver = true;
    });
  }
}

describe.each(READINGS)('while a poll of 40 s waits, %s', (_kind, read, operations) => {
  test('every operation gets a response, and the poll continues and gets the next record', async () => {
    const scene = await waitingScene(read);
    for (const [name, status, send] of operations) {
      const answer = await send(scene);
      expect(answer.status, `${name}: ${answer.text}`).toBe(status);
      expect(scene.poll.isOver, name).toBe(false);
    }
    await kafka.write(scene.topic, [{ value: '1' }]);
    const { status, body } = await scene.poll.answer;
    expect(status).toBe(200);
    expect(body.map(({ value }: { value: unknown }) => value)).toEqual([1]);
  });

  test('it is unsubscribed: the poll returns no records, at its deadline or before', async () => {
    const { consumer, poll } = await waitingScene(read);
    expect((await bridge.request('DELETE', `${consumer.path}/subscription`)).status).toBe(204);
    expect(await poll.answer).toMatchObject({ status: 200, body: [] });
    expect((await consumer.poll()).status).toBe(500);
  });

  test('after a seek back the poll gets the same records again', async () => {
    const { consumer, topic } = await waitingScene(read);
    await consumer.delete();
    const again = await bridge.consumer(unique('group'), 'c', []);
    await read({ consumer: again, topic });
    await kafka.write(topic, [{ value: '1' }]);
    expect(await again.take(1)).toHaveLength(1);
    const poll = again.poll(`timeout=${POLL_MS}`);
    expect((await bridge.post(`${again.path}/positions`, at(topic, 0))).status).toBe(204);
    expect((await poll).body).toMatchObject([{ offset: 0 }]);
  });
});

test('of forty polls of one consumer one runs, few wait, and the others are refused; none takes longer than its own time', async () => {
  const timeoutMs = 3000;
  const topic = await kafka.topic();
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  await consumer.poll('timeout=2000');
  const startedAtMs = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const answer = await consumer.poll(`timeout=${timeoutMs}`);
      return { ...answer, durationMs: performance.now() - startedAtMs };
    }),
  );
  const refused = answers.filter(({ status }) => status === 409);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1);
  expect(refused.length).toBeGreaterThanOrEqual(35);
  expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
  for (const { body } of refused) {
    expect(body).toEqual({
      error_code: 409,
      message: 'Another poll of this consumer is under way; wait for its answer, or create a consumer for each reader.',
    });
  }
  // One after another, five polls would take 15 s.
  for (const { durationMs } of answers) expect(durationMs).toBeLessThan(4 * timeoutMs);
  await kafka.write(topic, [{ value: '1' }]);
  expect(await consumer.take(1)).toHaveLength(1);
});

/** Without the request for the metrics itself. */
async function requestsInFlight(): Promise<number> {
  const { text } = await bridge.get('/metrics');
  return Number(/^causeway_bridge_in_flight_requests (\d+)$/m.exec(text)?.[1]) - 1;
}

test('a client that abandons its poll makes room for the next at once', async () => {
  const consumer = await bridge.consumer(unique('group'), 'c', [await kafka.topic()]);
  await consumer.poll('timeout=2000');
  for (let round = 0; round < 3; round += 1) {
    const gone = new AbortController();
    const polls = Array.from({ length: 5 }, () =>
      bridge.request('GET', `${consumer.path}/records?timeout=${POLL_MS}`, { signal: gone.signal }).catch(() => 'gone'),
    );
    // Not by a poll more: it could come before the fifth.
    await until('five polls are in progress', async () => (await requestsInFlight()) === 5);
    expect((await consumer.poll('timeout=100')).status).toBe(409);
    gone.abort();
    expect(await Promise.all(polls)).toEqual(Array(5).fill('gone'));
    await until('there is room', async () => (await consumer.poll('timeout=100')).status === 200);
  }
});

test('no time limit of a client holds a request longer than a gateway waits', async () => {
  const topic = await kafka.topic();
  const consumer = await bridge.consumer(unique('group'), 'c', [topic], { 'consumer.request.timeout.ms': 600_000 });
  const offsets = [
    { topic, partition: 9, offset: 1 },
    { topic: unique('nowhere'), partition: 0, offset: 1 },
  ];
  const watch = new Stopwatch();
  const [refused, polled] = await Promise.all([consumer.commit({ offsets }), consumer.poll('timeout=1000')]);
  expect(refused.status).toBe(500);
  expect(refused.body.message).toMatch(
    /^org\.apache\.kafka\.common\.errors\.TimeoutException: Timeout of \d+ms expired before successfully committing offsets \{.*-9=OffsetAndMetadata\{offset=1, /,
  );
  // A gateway waits for 15 s by default.
  expect(watch.stop()).toBeLessThan(10_000);
  expect([200, 409]).toContain(polled.status);
  expect((await consumer.commit({ offsets: [{ topic, partition: 0, offset: 0 }] })).status).toBe(204);
});

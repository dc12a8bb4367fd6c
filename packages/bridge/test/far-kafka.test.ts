/** A Kafka that is far away: every answer takes longer than the shortest time for which the word on an owner counts. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { request } from 'undici';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { LEASE_SETTLE_MS } from '../src/ownership/leases.ts';
import { SessionLog } from '../src/ownership/session-log.ts';

/** Changed by the test. */
let oneWayMs = 60;

/** Passes everything on to `port`, in order, and late. */
async function startFarEnd(port: number): Promise<{ server: Server; port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    const onTheWay: (Buffer | string)[] = [];
    from.on('data', (chunk) => {
      onTheWay.push(chunk);
      // In order also when the way has become shorter.
      setTimeout(() => to.write(onTheWay.shift() ?? ''), oneWayMs);
    });
    from.on('error', () => {});
    from.on('close', () => setTimeout(() => to.destroy(), oneWayMs));
    sockets.add(from);
  };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    pass(near, far);
    pass(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { server, port: (server.address() as AddressInfo).port, close };
}

let own: OwnKafka;
let farEnd: Awaited<ReturnType<typeof startFarEnd>>;
let east: TestBridge;
let west: TestBridge;
let kafka: KafkaView;

beforeAll(async () => {
  const ports = await findFreePorts(2);
  farEnd = await startFarEnd(ports[0] ?? 0);
  const address = `127.0.0.1:${farEnd.port}`;
  own = await startOwnKafka({
    brokerCount: 1,
    ports,
    properties: { ...PATIENT_BROKER, 'advertised.listeners': `PLAINTEXT://${address}` },
  });
  [east, west] = (await Promise.all(
    ['east', 'west'].map((region) => TestBridge.start(address, { bridge: { name: 'bridge', region } })),
  )) as [TestBridge, TestBridge];
  kafka = await KafkaView.connect(address);
  // The start of a broker, on a machine that has other work.
}, 240_000);

afterAll(async () => {
  await kafka?.close();
  await Promise.all([east?.close(), west?.close()]);
  farEnd?.close();
  await own?.close();
});

test('polls nevertheless get records, also from a bridge that takes the consumer over', async () => {
  const topic = await kafka.topic();
  const consumer = await east.consumer(unique('group'), 'c', [topic]);
  const produce = (value: string) => east.produce(topic, { records: [{ value }] });
  const poll = async (bridge: TestBridge, headers: Record<string, string> = {}): Promise<unknown[]> => {
    const { statusCode, body } = await request(`${bridge.url}${consumer.path}/records?timeout=20000`, { headers });
    expect(statusCode).toBe(200);
    return ((await body.json()) as { value: unknown }[]).map(({ value }) => value);
  };
  await produce('a');
  expect(await poll(east)).toEqual(['a']);
  await produce('b');
  expect(await poll(east)).toEqual(['b']);
  await produce('c');
  const watch = new Stopwatch();
  const failed = { 'causeway-gateway': 'test', ...PROOF, 'causeway-failed': 'east/bridge' };
  expect(await poll(west, failed)).toContain('c');
  // And not at the end of its time.
  expect(watch.stop()).toBeLessThan(15_000);
});

test('an answer without records says, too, that what came before it is committed', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const consumer = await east.consumer(group, 'c', [topic]);
  await east.produce(topic, { records: [{ value: 'a' }] });
  await consumer.take(1);
  const startedAtMs = performance.now();
  expect((await consumer.poll('timeout=0')).body).toEqual([]);
  expect(performance.now() - startedAtMs).toBeGreaterThan(2 * oneWayMs - 5);
  expect(await kafka.committed(group, topic)).toEqual([1]);
});

/** Reads the session log as a bridge does, for as long as `use` takes. */
async function withSessionLog(use: (leaseMs: (group: string, name: string) => number) => Promise<void>): Promise<void> {
  const cluster = testCluster(`127.0.0.1:${farEnd.port}`);
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000 });
  log.start();
  try {
    await use((group, name) => log.get({ group, name })?.value.leaseMs ?? Number.POSITIVE_INFINITY);
  } finally {
    await log.close();
    await cluster.close();
  }
}

test('the first request with a key waits for Kafka to create the topics of keys, longer than for a topic of its own', async () => {
  const maxBlockMs = 300;
  // Seven answers in a row until both topics are read for the first time.
  expect(2 * oneWayMs * 7).toBeGreaterThan(maxBlockMs);
  const bridge = await TestBridge.start(`127.0.0.1:${farEnd.port}`, {
    bridge: { name: 'impatient', region: 'east' },
    producer: { maxBlockMs },
  });
  onTestFinished(() => bridge.close());
  const topic = await kafka.topic();
  const send = async (headers: Record<string, string> = {}): Promise<{ status: number; text: string }> => {
    const response = await fetch(`${bridge.url}/topics/${topic}`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json', ...headers },
      body: '{"records":[{"value":"v"}]}',
    });
    return { status: response.status, text: await response.text() };
  };
  await until('the bridge knows the topic', async () => (await send()).text.includes('"offset"'));
  expect(await send({ 'idempotency-key': unique('key') })).toMatchObject({ status: 200 });
});

test('the lease of a consumer becomes short again when Kafka is near', async () => {
  const topic = await kafka.topic();
  const group = unique('group');
  const consumer = await east.consumer(group, 'c', [topic]);
  await withSessionLog(async (leaseMs) => {
    await until('the consumer is in the log', () => Number.isFinite(leaseMs(group, 'c')));
    const firstLeaseMs = leaseMs(group, 'c');
    expect(firstLeaseMs).toBeGreaterThan(4 * oneWayMs);
    const wayMs = oneWayMs;
    oneWayMs = 0;
    await until(
      'its lease is shorter by more than a way there and back, which no answer has any more',
      async () => {
        await east.produce(topic, { records: [{ value: 'x' }] });
        await consumer.take(1);
        return leaseMs(group, 'c') <= firstLeaseMs - 2 * wayMs;
      },
      { timeoutMs: 60_000 },
    );
  });
});

/** A bridge of its own, which has measured nothing but a Kafka that is far away, and its consumer, whose long lease is old. */
async function startWithLongLease(recordCount: number): Promise<{ bridge: TestBridge; consumer: TestConsumer }> {
  const topic = await kafka.topic();
  const records = Array.from({ length: recordCount }, () => ({ value: '1' }));
  if (recordCount > 0) await kafka.write(topic, records);
  const bridge = await TestBridge.start(`127.0.0.1:${farEnd.port}`, {
    bridge: { name: `silent-${recordCount}`, region: 'east' },
    kafka: { requestTimeoutMs: 30_000 },
    consumers: { maxPollRecords: 500 },
  });
  onTestFinished(() => bridge.close());
  const consumer = await bridge.consumer(unique('group'), 'long', [topic], { 'consumer.request.timeout.ms': 30_000 });
  // All but the last, which is kept for the next poll.
  if (recordCount > 0) expect(await consumer.take(500)).toHaveLength(500);
  return { bridge, consumer };
}

test('a poll that finds Kafka silent, and a lease to make shorter, is answered in its own time, with and without records in flight', async () => {
  oneWayMs = 60;
  const wayMs = oneWayMs;
  const owners = await Promise.all([0, 501].map(startWithLongLease));
  const createdAtMs = Date.now();
  await withSessionLog(async (leaseMs) => {
    const longLeasesMs = (): number[] => owners.map(({ consumer }) => leaseMs(consumer.group, 'long'));
    await until('the long leases are in the log', () => longLeasesMs().every(Number.isFinite));
    const before = longLeasesMs();
    for (const longLeaseMs of before) expect(longLeaseMs).toBeGreaterThan(4 * wayMs);
    oneWayMs = 0;
    let count = 0;
    await until(
      'new leases are short, and the long ones are old enough to be replaced',
      async () => {
        count += 1;
        const name = `short-${count}`;
        const areShort = owners.map(async ({ bridge, consumer: { group } }, index) => {
          await bridge.consumer(group, name, []);
          await until(`${name} is in the log`, () => Number.isFinite(leaseMs(group, name)));
          return leaseMs(group, name) <= (before[index] ?? 0) - 2 * wayMs;
        });
        return (await Promise.all(areShort)).every(Boolean) && Date.now() - createdAtMs > 2 * LEASE_SETTLE_MS;
      },
      { timeoutMs: 60_000 },
    );
    expect(longLeasesMs()).toEqual(before);
  });
  for (const { process } of own.cluster.brokers) process.signal('SIGSTOP');
  try {
    const watch = new Stopwatch();
    const polls = await Promise.all(owners.map(({ consumer }) => consumer.poll('timeout=500')));
    expect(polls.map(({ status }) => status)).toEqual([503, 503]);
    // The lease may take the consumer's 30 s; a poll does not wait longer than a second for it.
    expect(watch.stop()).toBeLessThan(15_000);
  } finally {
    for (const { process } of own.cluster.brokers) process.signal('SIGCONT');
  }
});

test('an answer says that what came before it is committed also where a lease is to become longer, which takes more time', async () => {
  oneWayMs = 0;
  const [topic, topicOfOther] = [await kafka.topic(), await kafka.topic()];
  const [group, groupOfOther] = [unique('group'), unique('group')];
  const bridge = await TestBridge.start(`127.0.0.1:${farEnd.port}`, {
    bridge: { name: 'slower', region: 'east' },
    kafka: { requestTimeoutMs: 30_000 },
  });
  try {
    const consumer = await bridge.consumer(group, 'short', [topic]);
    const other = await bridge.consumer(groupOfOther, 'other', [topicOfOther]);
    await kafka.write(topic, [{ value: '1' }]);
    await consumer.take(1);
    expect(await kafka.committed(group, topic)).toEqual([-1]);
    await withSessionLog(async (leaseMs) => {
      await until('the lease is in the log', () => Number.isFinite(leaseMs(group, 'short')));
      const shortLeaseMs = leaseMs(group, 'short');
      oneWayMs = 200;
      await until(
        'the bridge knows that Kafka is far away',
        async () => {
          await kafka.write(topicOfOther, [{ value: '1' }]);
          await other.take(1);
          return leaseMs(groupOfOther, 'other') > Math.max(4 * oneWayMs, shortLeaseMs);
        },
        { timeoutMs: 60_000 },
      );
      // It is still the one that is to become longer, whatever a near Kafka's answers took.
      expect(leaseMs(group, 'short')).toBe(shortLeaseMs);
      expect(shortLeaseMs).toBeLessThan(leaseMs(groupOfOther, 'other'));
    });
    // The commit takes twice as long, and a claim that is written and read back four times.
    oneWayMs = 2000;
    expect(await consumer.poll('timeout=6000')).toMatchObject({ status: 200, body: [] });
    oneWayMs = 0;
    expect(await kafka.committed(group, topic)).toEqual([1]);
  } finally {
    oneWayMs = 0;
    await bridge.close();
  }
});

test('a poll with time left waits for a confirmation that takes longer than its lease, and gives way to other operations meanwhile', async () => {
  oneWayMs = 0;
  const topic = await kafka.topic();
  await kafka.write(topic, [{ value: '0' }, { value: '1' }]);
  const bridge = await TestBridge.start(`127.0.0.1:${farEnd.port}`, {
    bridge: { name: 'suddenly-far', region: 'east' },
    kafka: { heartbeatIntervalMs: 3000 },
    consumers: { maxPollRecords: 1 },
  });
  onTestFinished(async () => {
    oneWayMs = 0;
    await bridge.close();
  });
  const [one, seeking] = [
    await bridge.consumer(unique('group'), 'c', [topic]),
    await bridge.consumer(unique('group'), 'c', [topic]),
  ];
  for (const consumer of [one, seeking]) expect(await consumer.take(1)).toMatchObject([{ offset: 0 }]);
  // The next record is fetched: nothing but the confirmation is missing.
  await withSessionLog(async (leaseMs) => {
    const leasesMs = (): number[] => [one, seeking].map(({ group }) => leaseMs(group, 'c'));
    await until('the leases are in the log', () => leasesMs().every(Number.isFinite));
    // Not one answer comes within the leases, which fit the answers before.
    oneWayMs = Math.max(200, ...leasesMs());
  });
  const polls = [one, seeking].map((consumer) => consumer.poll('timeout=60000'));
  const seeks = [one, seeking].map((consumer, index) =>
    bridge.post(`${consumer.path}/positions`, { offsets: [{ topic, partition: 0, offset: 1 - index }] }),
  );
  // They wait for the first attempt of the poll to fail.
  for (const seek of seeks) expect((await seek).status).toBe(204);
  oneWayMs = 0;
  expect((await Promise.all(polls)).map(({ body }) => body)).toMatchObject([[{ offset: 1 }], [{ offset: 0 }]]);
});

test('a poll with time left waits also where a longer lease is not read back as long as a confirmation may take', async () => {
  oneWayMs = 0;
  const topic = await kafka.topic();
  await kafka.write(topic, [{ value: '0' }, { value: '1' }]);
  const bridge = await TestBridge.start(`127.0.0.1:${farEnd.port}`, {
    bridge: { name: 'very-far', region: 'east' },
    kafka: { heartbeatIntervalMs: 3000, requestTimeoutMs: 30_000 },
    consumers: { maxPollRecords: 1 },
  });
  onTestFinished(async () => {
    oneWayMs = 0;
    await bridge.close();
  });
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  expect(await consumer.take(1)).toMatchObject([{ offset: 0 }]);
  // A write and a look at its outcome take longer than 2 s, and one question less: a lease of 2 s, once it is known, is enough.
  oneWayMs = 700;
  expect(await consumer.poll('timeout=60000')).toMatchObject({ status: 200, body: [{ offset: 1 }] });
});

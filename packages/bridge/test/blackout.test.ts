/** Kafka is away for 20 seconds while clients produce and consume: what they see meanwhile, and that nothing is lost. */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MachinePace } from '@causeway/lab/machine-pace.ts';
import type { KafkaBroker } from '@causeway/lab/stack/kafka-broker.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { connectionsApiChannel } from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonAnswer, TestBridge } from '../../../test/harness/bridge.ts';
import { Consuming, Producing } from '../../../test/harness/bridge-traffic.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';

const OUTAGE_MS = 20_000;
const DELIVERY_TIMEOUT_MS = 3000;
/** What an answer may take beyond its own limits: another request to Kafka, … */
const SLACK_MS = 5_000;
/** … and what is done for it, on a machine that does nothing else. */
const WORK_MS = 500;
/** Kafka's start, and its group coordinator's. */
const RECOVERY_TIMEOUT_MS = 60_000;

interface Place {
  own: OwnKafka;
  bridge: TestBridge;
  broker: KafkaBroker;
}

const places: Place[] = [];

const pace = new MachinePace();
afterAll(() => pace.close());

beforeAll(async () => {
  const started = await Promise.all(
    [0, 1].map(async () => {
      const own = await startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2) });
      const bridge = await TestBridge.start(own.cluster.bootstrap, {
        kafka: { requestTimeoutMs: 3000, sessionTimeoutMs: 10_000 },
        producer: { maxBlockMs: 2000, deliveryTimeoutMs: DELIVERY_TIMEOUT_MS },
      });
      const [broker] = own.cluster.brokers;
      if (broker === undefined) throw new Error('no broker');
      return { own, bridge, broker };
    }),
  );
  places.push(...started);
  // The start of two brokers, on a machine that has other work.
}, 400_000);

afterAll(async () => {
  await Promise.all(places.map(({ bridge }) => bridge.close()));
  await Promise.all(places.map(({ own }) => own.close()));
});

async function withView<T>(bootstrap: string, look: (kafka: KafkaView) => Promise<T>): Promise<T> {
  const kafka = await KafkaView.connect(bootstrap);
  try {
    return await look(kafka);
  } finally {
    await kafka.close();
  }
}

describe('20 seconds without Kafka', () => {
  test.concurrent.each([
    [
      'stopped',
      0,
      (broker: KafkaBroker) => broker.process.signal('SIGSTOP'),
      (broker: KafkaBroker) => broker.process.signal('SIGCONT'),
    ],
    ['killed', 1, (broker: KafkaBroker) => broker.kill(), (broker: KafkaBroker) => broker.start()],
  ] as const)(
    '%s: clear errors in time, everything acknowledged is there, and the same consumer reads on',
    async (_name, index, take, giveBack) => {
      const place = places[index];
      if (place === undefined) throw new Error('no Kafka');
      const { own, bridge, broker } = place;
      const { bootstrap } = own.cluster;
      const topic = await withView(bootstrap, (kafka) => kafka.topic());
      const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
      const producing = new Producing(bridge, topic);
      const consuming = new Consuming(consumer);
      await until('records flow', () => consuming.values.size >= 20, { timeoutMs: 60_000 });

      await take(broker);
      const takenAtMs = performance.now();
      await until('/ready reports it', async () => /Kafka does not answer/.test((await bridge.get('/ready')).text));
      expect((await bridge.get('/ready')).status).toBe(503);
      expect((await bridge.get('/healthy')).status).toBe(200);
      await until('the producer is refused', () => producing.refused.size > 0);
      const storedBefore = producing.stored.length;
      // The outage itself is what is tested.
      await delay(Math.max(0, takenAtMs + OUTAGE_MS - performance.now()));
      expect(producing.stored.length).toBe(storedBefore);
      await giveBack(broker);

      const again = { timeoutMs: RECOVERY_TIMEOUT_MS };
      await until('/ready reports it', async () => (await bridge.get('/ready')).status === 200, again);
      await until('records are stored again', () => producing.stored.length >= storedBefore + 20, again);
      await producing.end();
      const isRead = (): boolean => producing.stored.every((value) => consuming.values.has(value));
      await until('everything acknowledged is read', isRead, again);
      await consuming.end();

      expect(
        [...producing.refused].filter((message) => !/^(Expiring N record|Topic .* not present)/.test(message)),
      ).toEqual([]);
      expect(producing.longestMs).toBeLessThan(pace.boundMs(DELIVERY_TIMEOUT_MS + SLACK_MS, WORK_MS));
      expect([...consuming.statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      expect(consuming.longestMs).toBeLessThan(pace.boundMs(1000 + SLACK_MS, WORK_MS));
      // In order and without a gap. A group that forgot its member gives it again what it had not committed.
      expect(consuming.firstGap).toBeUndefined();
      const messages = await withView(bootstrap, (kafka) => kafka.read(topic, producing.stored.length));
      const inKafka = new Set(messages.map(({ value }) => JSON.parse(value?.toString() ?? 'null')).map(Number));
      expect(producing.stored.filter((value) => !inKafka.has(value))).toEqual([]);
      expect((await consumer.delete()).status).toBe(204);
    },
    400_000,
  );
});

describe('a batch that is damaged on the broker’s disk', () => {
  type Part = 'structure' | 'text' | 'length';
  const LENGTH_AT = 8;
  const PREFIX_BYTES = 12;
  const HEAD_BYTES = 61;

  /** Where the second and the third batch begin. */
  function batchStarts(bytes: Buffer): [number, number] {
    const next = (start: number): number => start + PREFIX_BYTES + bytes.readInt32BE(start + LENGTH_AT);
    return [next(0), next(next(0))];
  }

  /** Offsets 0 to 2, 3 to 5 and 6, each a batch; the one in the middle is damaged. */
  async function damagedTopic(
    { own, bridge, broker }: Place,
    { compression, part }: { compression: string; part: Part },
  ): Promise<string> {
    const topic = await withView(own.cluster.bootstrap, (kafka) => kafka.topic(1, { 'compression.type': compression }));
    for (const text of [['a', 'b', 'c'], ['DAMAGED0', 'DAMAGED1', 'DAMAGED2'], ['d']]) {
      await bridge.produce(topic, { records: text.map((value) => ({ value: value.repeat(20) })) }, { format: 'text' });
    }
    // What brokers send is what is in the file.
    const log = join(own.directory, `broker-${broker.id}`, `${topic}-0`);
    const file = join(log, readdirSync(log).find((name) => name.endsWith('.log')) ?? '');
    const bytes = readFileSync(file);
    const [first, second] = batchStarts(bytes);
    const descriptor = openSync(file, 'r+');
    switch (part) {
      case 'structure':
        writeSync(descriptor, Buffer.alloc(12, 0xff), 0, 12, first + HEAD_BYTES);
        break;
      case 'text':
        writeSync(descriptor, Buffer.from('FALSE'), 0, 5, second - 10);
        break;
      case 'length':
        writeSync(descriptor, Buffer.alloc(4), 0, 4, first + LENGTH_AT);
    }
    closeSync(descriptor);
    return topic;
  }

  test.each([
    ['uncompressed', 'structure'],
    ['uncompressed', 'text'],
    ['gzip', 'structure'],
    ['lz4', 'structure'],
    ['zstd', 'structure'],
    ['snappy', 'structure'],
  ] as const)('(%s, %s) is reported, and skipped on request', async (compression, part) => {
    const [place] = places;
    if (place === undefined) throw new Error('no Kafka');
    const topic = await damagedTopic(place, { compression, part });
    const consumer = await place.bridge.consumer(unique('group'), 'c', [topic], { format: 'text' });
    const message = `org.apache.kafka.common.KafkaException: Received exception when fetching the next record from ${topic}-0. If needed, please seek past the record to continue consumption.`;
    for (let time = 0; time < 2; time += 1) {
      expect((await consumer.poll('timeout=20000')).body).toEqual({ error_code: 500, message });
    }
    const seen: unknown[] = [];
    await until('the record behind it', async () => {
      const { status, body } = await consumer.poll('timeout=3000&on_error=report');
      expect(status).toBe(200);
      seen.push(...body);
      return body.at(-1)?.offset === 6;
    });
    expect(seen).toMatchObject([
      { offset: 0 },
      { offset: 1 },
      { offset: 2 },
      { topic, partition: 0, offset: 3, error_code: 500, message },
      { offset: 6, value: 'd'.repeat(20) },
    ]);
    expect((await consumer.commit()).status).toBe(204);
    // Without it, a client may also seek past the batch.
    const seeking = await place.bridge.consumer(unique('group'), 'c', [], { format: 'text' });
    await place.bridge.post(`${seeking.path}/assignments`, { partitions: [{ topic, partition: 0 }] });
    await place.bridge.post(`${seeking.path}/positions`, { offsets: [{ topic, partition: 0, offset: 6 }] });
    expect((await seeking.take(1)).map(({ offset }) => offset)).toEqual([6]);
  });

  test('so that the start of the next one is unknown: records before it are read, and then every poll fails', async () => {
    const [place] = places;
    if (place === undefined) throw new Error('no Kafka');
    const topic = await damagedTopic(place, { compression: 'uncompressed', part: 'length' });
    const consumer = await place.bridge.consumer(unique('group'), 'c', [topic], { format: 'text' });
    expect((await consumer.take(3)).map(({ offset }) => offset)).toEqual([0, 1, 2]);
    for (let time = 0; time < 2; time += 1) {
      const { status, body } = await consumer.poll('timeout=20000&on_error=report');
      expect({ status, message: body.message }).toEqual({
        status: 500,
        message: `org.apache.kafka.common.KafkaException: Encountered corrupt message when fetching offset 3 for topic-partition ${topic}-0`,
      });
    }
  });
});

test('a topic whose creation is slow is created, although the attempt after it finds it there', async () => {
  const [place] = places;
  if (place === undefined) throw new Error('no Kafka');
  const patient = await TestBridge.start(place.own.cluster.bootstrap, { kafka: { requestTimeoutMs: 20_000 } });
  await until('it has its own topic', async () => (await patient.get('/ready')).status === 200);
  const CREATE_TOPICS_KEY = 19;
  let attemptCount = 0;
  const onStart = ({ apiKey }: { apiKey?: number }): void => {
    if (apiKey !== CREATE_TOPICS_KEY) return;
    attemptCount += 1;
    // The first attempt waits in the broker's socket until the second one is behind it.
    place.broker.process.signal(attemptCount === 1 ? 'SIGSTOP' : 'SIGCONT');
  };
  connectionsApiChannel.start.subscribe(onStart as never);
  try {
    const create = (topic_name: string): Promise<JsonAnswer> =>
      patient.request('POST', '/admin/topics', {
        headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
        body: JSON.stringify({ topic_name, partitions_count: 5 }),
      });
    const topic = unique('slow');
    expect(await create(topic)).toMatchObject({ status: 201, text: '{}' });
    expect(attemptCount).toBeGreaterThanOrEqual(2);
    // One that was there before is still refused.
    expect((await create(topic)).body).toEqual({ error_code: 500, message: `Topic '${topic}' already exists.` });
    // Brokers learn of a topic a little after the controller has made it.
    await until('its partitions are there', async () => {
      const { status, body } = await patient.get(`/topics/${topic}/partitions`);
      return status === 200 && body.length === 5;
    });
  } finally {
    connectionsApiChannel.start.unsubscribe(onStart as never);
    place.broker.process.signal('SIGCONT');
    await patient.close();
  }
});

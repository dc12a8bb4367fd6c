/** Consumers that begin a duration before now (`auto.offset.reset: by_duration:…`, KIP-1106). */
import { afterAll, describe, expect, inject, test } from 'vitest';
import {
  bridgeOfFile,
  bridgeOfTest,
  kafkaOfFile,
  TestBridge,
  type TestConsumer,
} from '../../../test/harness/bridge.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';

const MINUTE_MS = 60_000;
const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

/** A topic of one partition, with records of so many minutes ago, which are their values, too. */
async function topicWith(...minutesAgo: number[]): Promise<string> {
  const topic = await kafka.topic();
  if (minutesAgo.length > 0) await produce(topic, ...minutesAgo);
  return topic;
}

async function produce(topic: string, ...minutesAgo: number[]): Promise<void> {
  const nowMs = Date.now();
  const records = minutesAgo.map((minutes) => ({ value: String(minutes), timestamp: nowMs - minutes * MINUTE_MS }));
  const { body } = await bridge.produce(topic, { records });
  expect(body.offsets.every((entry: object) => 'offset' in entry)).toBe(true);
}

function begin(topic: string, duration: string, options: object = {}): Promise<TestConsumer> {
  const reset = { 'auto.offset.reset': `by_duration:${duration}` };
  return bridge.consumer(unique('group'), 'c', [topic], { ...reset, ...options });
}

async function values(consumer: TestConsumer, count: number): Promise<unknown[]> {
  return (await consumer.take(count)).map(({ value }) => value);
}

/** The consumer has its partition and the place that it begins at. */
async function begun(consumer: TestConsumer): Promise<number> {
  let offset: number | undefined;
  await until('it has begun', async () => {
    await consumer.poll('timeout=100');
    offset = (await consumer.bridge.get(`${consumer.path}/positions`)).body.offsets[0]?.offset;
    return offset !== undefined;
  });
  return offset ?? -1;
}

describe('without a commit', () => {
  test.each([
    ['PT1H', ['30', '5']],
    ['PT100M', ['90', '30', '5']],
    ['P1D', ['90', '30', '5']],
    ['P1000000D', ['90', '30', '5']],
    ['PT20M0.5S', ['5']],
  ])('%s begins with the first record of that time', async (duration, expected) => {
    const consumer = await begin(await topicWith(90, 30, 5), duration);
    expect(await values(consumer, expected.length)).toEqual(expected);
    await consumer.delete();
  });

  test.each(['PT1M', 'PT0S'])('%s begins at the end where no record is as new', async (duration) => {
    const topic = await topicWith(90, 5);
    const consumer = await begin(topic, duration);
    expect(await begun(consumer)).toBe(2);
    await produce(topic, 40);
    expect(await values(consumer, 1)).toEqual(['40']);
    await consumer.delete();
  });

  test('of an empty partition it begins with the first record that comes', async () => {
    const topic = await topicWith();
    const consumer = await begin(topic, 'PT1H');
    expect(await begun(consumer)).toBe(0);
    await produce(topic, 90);
    expect(await values(consumer, 1)).toEqual(['90']);
    await consumer.delete();
  });

  test('the default of the bridge may be a duration', async () => {
    const other = await bridgeOfTest({
      bridge: { name: 'by-duration' },
      consumers: { defaultAutoOffsetReset: 'by_duration:PT1H' },
    });
    const consumer = await other.consumer(unique('group'), 'c', [await topicWith(90, 30)], {
      'auto.offset.reset': undefined,
    });
    expect(await values(consumer, 1)).toEqual(['30']);
    await consumer.delete();
  });
});

test('a commit comes before the duration', async () => {
  const topic = await topicWith(90, 30, 5);
  const consumer = await begin(topic, 'PT1H');
  expect((await consumer.commit({ offsets: [{ topic, partition: 0, offset: 0 }] })).status).toBe(204);
  expect(await values(consumer, 3)).toEqual(['90', '30', '5']);
  await consumer.delete();
});

test('a position that the log does not have is found again by the duration', async () => {
  const topic = await topicWith(90, 30, 5);
  const consumer = await begin(topic, 'PT1H', { 'enable.auto.commit': false });
  expect(await values(consumer, 2)).toEqual(['30', '5']);
  const offsets = [{ topic, partition: 0, offset: 1000 }];
  expect((await bridge.post(`${consumer.path}/positions`, { offsets })).status).toBe(204);
  expect(await values(consumer, 2)).toEqual(['30', '5']);
  await consumer.delete();
});

describe('another bridge that takes the consumer over', () => {
  const bridges: TestBridge[] = [];
  afterAll(() => Promise.all(bridges.map((started) => started.close())));

  async function two(): Promise<[TestBridge, TestBridge]> {
    const region = unique('region');
    const start = (name: string) => TestBridge.start(inject('kafkaBootstrap'), { bridge: { name, region } });
    const started: [TestBridge, TestBridge] = [await start('east'), await start('west')];
    bridges.push(...started);
    return started;
  }

  test('continues where it began, whatever the time is by then', async () => {
    const [east, west] = await two();
    const topic = await topicWith(90);
    const group = unique('group');
    const consumer = await east.consumer(group, 'c', [topic], { 'auto.offset.reset': 'by_duration:PT0S' });
    expect(await begun(consumer)).toBe(1);
    // By the clock it would be passed over.
    await produce(topic, 30);
    await east.close();
    const { path } = consumer;
    await until('the record is read', async () => {
      const { status, body } = await west.get(`${path}/records?timeout=1000`);
      return status === 200 && body.length === 1 && body[0].value === '30';
    });
  });

  test('has its duration', async () => {
    const [east, west] = await two();
    const topic = await topicWith(90, 30);
    const consumer = await east.consumer(unique('group'), 'c', [], { 'auto.offset.reset': 'by_duration:PT1H' });
    await east.close();
    expect((await west.post(`${consumer.path}/subscription`, { topics: [topic] })).status).toBe(204);
    await until('the record of that time is read', async () => {
      const { status, body } = await west.get(`${consumer.path}/records?timeout=1000`);
      return status === 200 && body.length === 1 && body[0].value === '30';
    });
  });
});

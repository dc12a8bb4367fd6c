import { describe, expect, test } from 'vitest';
import { bridgeOfFile, type ConsumedJson, kafkaOfFile, type TestConsumer } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../test/harness/stopwatch.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

function valuesOf(records: readonly ConsumedJson[]): unknown[] {
  return records.map(({ value }) => value);
}

/** A topic with `count` numbers in each partition, and a consumer with its partitions assigned. */
async function reader(count: number, { partitionCount = 1, options = {} } = {}) {
  const topic = await kafka.topic(partitionCount);
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }));
  await kafka.write(
    topic,
    partitions.flatMap(({ partition }) =>
      Array.from({ length: count }, (_, index) => ({ value: String(index), partition })),
    ),
  );
  const consumer = await bridge.consumer(unique('group'), 'c', [], options);
  await bridge.post(`${consumer.path}/assignments`, { partitions });
  return { topic, consumer, partitions };
}

function seek(consumer: TestConsumer, body: unknown, where = '') {
  return bridge.post(`${consumer.path}/positions${where}`, body);
}

describe('a position', () => {
  test('moves back and forth, also before the first poll', async () => {
    const { topic, consumer } = await reader(5);
    const to = (offset: number) => seek(consumer, { offsets: [{ topic, partition: 0, offset }] });
    expect(await to(3)).toMatchObject({ status: 204, text: '' });
    expect(valuesOf(await consumer.take(2))).toEqual([3, 4]);
    await to(1);
    expect(valuesOf(await consumer.take(4))).toEqual([1, 2, 3, 4]);
  });

  test('moves in a subscription once the group has assigned the partition', async () => {
    const topic = await kafka.topic();
    await kafka.write(topic, [{ value: '0' }, { value: '1' }]);
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const body = { offsets: [{ topic, partition: 0, offset: 1 }] };
    expect((await seek(consumer, body)).body).toEqual({
      error_code: 404,
      message: `No current assignment for partition ${topic}-0`,
    });
    await consumer.take(2);
    expect((await seek(consumer, body)).status).toBe(204);
    const watch = new Stopwatch();
    expect(valuesOf((await consumer.poll('timeout=30000')).body)).toEqual([1]);
    // It does not wait for the fetch at the old position.
    expect(watch.stop()).toBeLessThan(15_000);
  });

  test('that a seek has set is committed like one that was read', async () => {
    const { topic, consumer } = await reader(5, { options: { 'enable.auto.commit': false } });
    await seek(consumer, { offsets: [{ topic, partition: 0, offset: 2 }] });
    expect((await consumer.commit()).status).toBe(204);
    const group = decodeURIComponent(consumer.path.split('/')[2] ?? '');
    expect(await kafka.committed(group, topic)).toEqual([2]);
  });

  test('past the end is replaced by the reset policy', async () => {
    const { topic, consumer } = await reader(3);
    expect((await seek(consumer, { offsets: [{ topic, partition: 0, offset: 99 }] })).status).toBe(204);
    expect(valuesOf(await consumer.take(3))).toEqual([0, 1, 2]);
  });

  test('past the end stays an error without a reset policy, until it is moved', async () => {
    const { topic, consumer } = await reader(3, { options: { 'auto.offset.reset': 'none' } });
    const to = (offset: number) => seek(consumer, { offsets: [{ topic, partition: 0, offset }] });
    await to(99);
    for (let time = 0; time < 2; time += 1) {
      const answer = await consumer.poll();
      expect(answer.status).toBe(500);
      expect(answer.body.message).toMatch(
        /^org\.apache\.kafka\.clients\.consumer\.OffsetOutOfRangeException: Fetch position /,
      );
    }
    await to(2);
    expect(valuesOf(await consumer.take(1))).toEqual([2]);
  });
});

describe('the ends', () => {
  test('of one partition', async () => {
    const { topic, consumer } = await reader(3, { partitionCount: 2 });
    await consumer.take(6);
    expect(await seek(consumer, { partitions: [{ topic, partition: 1 }] }, '/beginning')).toMatchObject({
      status: 204,
      text: '',
    });
    expect((await consumer.take(3)).map(({ partition }) => partition)).toEqual([1, 1, 1]);
    expect((await consumer.poll('timeout=100')).body).toEqual([]);
  });

  test('of all partitions, when none are given', async () => {
    const { consumer } = await reader(3, { partitionCount: 2 });
    expect((await seek(consumer, { partitions: [] }, '/end')).status).toBe(204);
    expect((await consumer.poll('timeout=300')).body).toEqual([]);
    expect((await seek(consumer, { partitions: [] }, '/beginning')).status).toBe(204);
    expect(await consumer.take(6)).toHaveLength(6);
  });

  test('are those at the time of the request', async () => {
    const { topic, consumer, partitions } = await reader(2);
    await seek(consumer, { partitions }, '/end');
    await kafka.write(topic, [{ value: '"later"' }]);
    expect(valuesOf(await consumer.take(1))).toEqual(['later']);
  });

  test('do not need a reset policy', async () => {
    const { consumer, partitions } = await reader(2, { options: { 'auto.offset.reset': 'none' } });
    expect((await seek(consumer, { partitions }, '/beginning')).status).toBe(204);
    expect(valuesOf(await consumer.take(2))).toEqual([0, 1]);
  });
});

test('entries are applied in order until one fails', async () => {
  const { topic, consumer } = await reader(4);
  const offsets = [
    { topic, partition: 0, offset: 2 },
    { topic, partition: 9, offset: 0 },
    { topic, partition: 0, offset: 3 },
  ];
  expect((await seek(consumer, { offsets })).body).toEqual({
    error_code: 404,
    message: `No current assignment for partition ${topic}-9`,
  });
  expect(valuesOf(await consumer.take(2))).toEqual([2, 3]);
});

test('a consumer shows its partitions, its positions and the commits of its group', async () => {
  const { topic, consumer, partitions } = await reader(3, {
    partitionCount: 2,
    options: { 'enable.auto.commit': false },
  });
  const at = (...offsets: [partition: number, offset: number][]) => ({
    offsets: offsets.map(([partition, offset]) => ({ partition, offset, topic })),
  });
  const assignments = await bridge.get(`${consumer.path}/assignments`);
  expect(assignments).toMatchObject({ status: 200, body: { partitions } });
  expect(assignments.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
  expect((await bridge.get(`${consumer.path}/offsets`)).body).toEqual({ offsets: [] });
  // Before the first poll, too.
  expect((await bridge.get(`${consumer.path}/positions`)).body).toEqual(at([0, 0], [1, 0]));
  await consumer.take(6);
  await consumer.commit({ offsets: [{ topic, partition: 1, offset: 2 }] });
  expect((await bridge.get(`${consumer.path}/positions`)).body).toEqual(at([0, 3], [1, 3]));
  expect((await bridge.get(`${consumer.path}/offsets`)).body).toEqual(at([1, 2]));
});

test('a consumer without partitions has no positions', async () => {
  const consumer = await bridge.consumer(unique('group'), 'c', []);
  expect((await bridge.get(`${consumer.path}/assignments`)).body).toEqual({ partitions: [] });
  expect((await bridge.get(`${consumer.path}/positions`)).body).toEqual({ offsets: [] });
  expect((await bridge.get(`${consumer.path}/offsets`)).body).toEqual({ offsets: [] });
});

describe('requests that are refused', () => {
  test.each([
    ['', { offsets: [] }, 204, undefined],
    ['', {}, 422, 'The request body has no "offsets": it must be a list of entries with topic, partition and offset'],
    ['', { offsets: [{ topic: 't', partition: 0 }] }, 400, 'Validation error on: Schema validation error'],
    ['', { offsets: [{ topic: 't', partition: 0, offset: -1 }] }, 500, 'seek offset must not be a negative number'],
    ['', { offsets: [{ topic: 't', partition: 9, offset: 1 }] }, 404, 'No current assignment for partition t-9'],
    ['/end', { partitions: [{ topic: 't', partition: 9 }] }, 404, 'No current assignment for partition t-9'],
    ['/beginning', { partitions: [{ partition: 0 }] }, 404, 'No current assignment for partition null-0'],
    ['/beginning', { partitions: [{ topic: 't' }] }, 422, 'Each entry of partitions must have a partition.'],
    ['/end', {}, 422, 'A list of partitions must be specified.'],
  ])('positions%s %j', async (where, body, status, message) => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    const answer = await seek(consumer, body, where);
    expect(answer.status).toBe(status);
    expect(answer.body?.message).toBe(message);
  });

  test('a negative offset is not committed', async () => {
    const consumer = await bridge.consumer(unique('group'), 'c', []);
    expect((await consumer.commit({ offsets: [{ topic: 't', partition: 0, offset: -1 }] })).body).toEqual({
      error_code: 422,
      message: 'Invalid negative offset',
    });
  });

  test('every operation responds 404 for a consumer that does not exist', async () => {
    const path = `/consumers/${unique('group')}/instances/c`;
    const answers = await Promise.all([
      bridge.post(`${path}/positions`, { offsets: [] }),
      bridge.post(`${path}/positions/beginning`, { partitions: [] }),
      bridge.post(`${path}/positions/end`, { partitions: [] }),
      bridge.post(`${path}/assignments`, { partitions: [] }),
      bridge.get(`${path}/subscription`),
      bridge.request('DELETE', `${path}/subscription`),
    ]);
    for (const { status, body } of answers) {
      expect(status).toBe(404);
      expect(body.message).toBe('The specified consumer instance was not found.');
    }
  });
});

import { beforeAll, describe, expect, test } from 'vitest';
import { bridgeOfFile, type JsonAnswer, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { until } from '../../../../test/harness/until.ts';

const SCHEMA_ERROR = 'Validation error on: Schema validation error';
const UNKNOWN_TOPIC =
  'org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.';
const INVALID_TOPIC =
  'org.apache.kafka.common.errors.InvalidTopicException: The request attempted to perform an operation on an invalid topic.';
const NO_NUMBER = 'Specified partition is not a valid number';

/** Of three partitions. */
let topic: string;

const kafka = await kafkaOfFile();
/** How long records wait for a topic that does not exist. Requests that must not wait are far quicker, also on a busy machine. */
const MAX_BLOCK_MS = 6000;
const bridge = await bridgeOfFile({ producer: { maxBlockMs: MAX_BLOCK_MS } });

beforeAll(async () => {
  topic = await kafka.topic(3);
});

function described(partition: number) {
  return { partition, leader: 1, replicas: [{ broker: 1, leader: true, in_sync: true }] };
}

test('partitions are listed by number, and described one by one', async () => {
  expect((await bridge.get(`/topics/${topic}/partitions`)).text).toBe(JSON.stringify([0, 1, 2].map(described)));
  expect((await bridge.get(`/topics/${topic}/partitions/+1`)).body).toEqual(described(1));
});

test('offsets are the first of a partition, and that of the next record', async () => {
  const written = await kafka.topic(2);
  await kafka.write(written, [
    { value: 'a', partition: 1 },
    { value: 'b', partition: 1 },
    { value: 'c', partition: 1 },
  ]);
  // Or kafkajs does not know the leader yet.
  await kafka.admin.fetchTopicOffsets(written);
  await kafka.admin.deleteTopicRecords({ topic: written, partitions: [{ partition: 1, offset: '1' }] });
  const answer = await bridge.get(`/topics/${written}/partitions/1/offsets`);
  expect(answer).toMatchObject({ status: 200, text: '{"beginning_offset":1,"end_offset":3}' });
  expect(answer.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
  expect((await bridge.get(`/topics/${written}/partitions/0/offsets`)).text).toBe(
    '{"beginning_offset":0,"end_offset":0}',
  );
});

describe('partitions and topics that do not exist', () => {
  test.each([
    ['3', 404, 'Specified partition does not exist.'],
    ['-1', 400, SCHEMA_ERROR],
    ['2147483648', 422, NO_NUMBER],
    ['1.0', 422, NO_NUMBER],
    ['x', 400, SCHEMA_ERROR],
  ])('partition %s', async (partition, status, message) => {
    expect((await bridge.get(`/topics/${topic}/partitions/${partition}`)).body).toMatchObject({
      error_code: status,
      message,
    });
  });

  test.each([
    ['', (target: string, path: string) => bridge.get(`${target}${path}`)],
    ['/offsets', (target: string, path: string) => bridge.get(`${target}${path}`)],
    ['', (target: string) => produceTo(topic, target.split('/').at(-1) ?? '', { records: [{ value: 'v' }] })],
  ])('a negative partition: %s', async (path, ask) => {
    const { status, body } = await ask(`/topics/${topic}/partitions/-1`, path);
    expect({ status, body }).toEqual({
      status: 400,
      body: { error_code: 400, message: SCHEMA_ERROR, validation_errors: ['-1 is less than 0'] },
    });
  });

  test.each(['3', '7'])('offsets of partition %s', async (partition) => {
    expect((await bridge.get(`/topics/${topic}/partitions/${partition}/offsets`)).body).toEqual({
      error_code: 404,
      message: `Topic '${topic}' does not have partition with id ${partition}`,
    });
  });

  test.each([
    ['/partitions', 500],
    ['/partitions/0', 500],
    // The peer API never responds here.
    ['/partitions/0/offsets', 422],
  ])('%s of a topic that does not exist, or has an illegal name', async (path, invalidStatus) => {
    expect((await bridge.get(`/topics/${unique('nowhere')}${path}`)).body).toEqual({
      error_code: 404,
      message: UNKNOWN_TOPIC,
    });
    expect((await bridge.get(`/topics/bad%20name${path}`)).body).toEqual({
      error_code: invalidStatus,
      message: INVALID_TOPIC,
    });
  });

  test('text in place of a number is reported as text', async () => {
    for (const path of ['', '/offsets']) {
      expect((await bridge.get(`/topics/${topic}/partitions/x${path}`)).body.validation_errors).toEqual([
        'Instance type string is invalid. Expected integer',
      ]);
    }
  });
});

describe('producing to a partition', () => {
  test('stores every record there, whatever its key', async () => {
    const target = await kafka.topic(3);
    const records = ['a', 'b', 'c', 'd'].map((key) => ({ key, value: key, headers: [{ key: 'h', value: 'eA==' }] }));
    const answer = await produceTo(target, '2', { records });
    expect(answer.text).toBe(
      '{"offsets":[{"partition":2,"offset":0},{"partition":2,"offset":1},{"partition":2,"offset":2},{"partition":2,"offset":3}]}',
    );
    const messages = await kafka.read(target, 4);
    expect(messages.map(({ partition }) => partition)).toEqual([2, 2, 2, 2]);
    expect(messages[0]?.headers).toEqual({ h: Buffer.from('x') });
  });

  test('responds at once to an async request', async () => {
    const target = await kafka.topic(2);
    expect(await produceTo(target, '1?async=true', { records: [{ value: 'x' }] })).toMatchObject({
      status: 204,
      text: '',
    });
    await until('it is stored', async () => {
      const [offsets] = (await kafka.admin.fetchTopicOffsets(target)).filter(({ partition }) => partition === 1);
      return offsets?.high === '1';
    });
    const nowhere = unique('nowhere');
    expect(await produceTo(nowhere, '0?async=true', { records: [{ value: 'x' }] })).toMatchObject({
      status: 404,
      body: { error_code: 404, message: `Topic ${nowhere} not present in metadata after ${MAX_BLOCK_MS} ms.` },
    });
  });

  test('that does not exist is an error of each record', async () => {
    expect((await produceTo(topic, '3', { records: [{ value: 'x' }] })).body.offsets).toEqual([
      {
        error_code: 404,
        message: `Partition 3 of topic ${topic} with partition count 3 is not present in metadata after ${MAX_BLOCK_MS} ms.`,
      },
    ]);
  });

  test.each([
    ['1.0', '{"records":[{"value":"v"}]}', 422, NO_NUMBER],
    ['2147483648', '{"records":[{"value":"v"}]}', 422, NO_NUMBER],
    ['x', '{"records":[{"value":"v"}]}', 400, SCHEMA_ERROR],
    ['0?async=1', '{"records":[{"value":"v"}]}', 400, SCHEMA_ERROR],
    ['0', '{"records":[{"value":"v","partition":0}]}', 400, SCHEMA_ERROR],
    ['0', '{"records":[{"value":"v","timestamp":1}]}', 400, SCHEMA_ERROR],
  ])('%s of %s is refused', async (partition, body, status, message) => {
    expect((await produceTo(topic, partition, body)).body).toMatchObject({ error_code: status, message });
  });
});

function produceTo(name: string, partition: string, body: unknown): Promise<JsonAnswer> {
  return bridge.request('POST', `/topics/${name}/partitions/${partition}`, {
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

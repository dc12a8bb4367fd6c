import { createTopics } from '@causeway/lab/stack/kafka.ts';
import { describe, expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { until } from '../../../../test/harness/until.ts';

const JSON_V2 = 'application/vnd.kafka.json.v2+json';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

function create(body: unknown, contentType = JSON_V2) {
  return bridge.request('POST', '/admin/topics', {
    headers: { 'content-type': contentType },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Brokers learn of a new topic a moment after its creation. */
async function partitionCountOf(topic: string): Promise<number> {
  let count = 0;
  await until(`${topic} is known`, async () => {
    const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [topic] });
    count = topics[0]?.partitions.length ?? 0;
    return count > 0;
  });
  return count;
}

describe('a topic is created', () => {
  test.each([[{ partitions_count: 3, replication_factor: 1 }, 3]])('%j', async (options, partitionCount) => {
    const topic = unique('created');
    const answer = await create({ topic_name: topic, ...options });
    expect(answer).toMatchObject({ status: 201, text: '{}' });
    expect(answer.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
    expect(await partitionCountOf(topic)).toBe(partitionCount);
  });

  test.each([
    {},
    { partitions_count: null, replication_factor: null },
    { partitions_count: -1, replication_factor: -1 },
  ])("with the broker's default number of partitions: %j", async (options) => {
    const [topic, byDefault] = [unique('created'), unique('default')];
    await createTopics(kafka.admin, [{ topic: byDefault }]);
    expect((await create({ topic_name: topic, ...options })).status).toBe(201);
    expect(await partitionCountOf(topic)).toBe(await partitionCountOf(byDefault));
  });

  test.each(['application/json; charset=utf-8', 'application/vnd.kafka.v2+json'])('as %s', async (contentType) => {
    expect((await create({ topic_name: unique('created') }, contentType)).status).toBe(201);
  });
});

test('a topic that exists is refused, and stays as it is', async () => {
  const topic = await kafka.topic(2);
  expect(await create({ topic_name: topic, partitions_count: 5 })).toMatchObject({
    status: 500,
    body: { error_code: 500, message: `Topic '${topic}' already exists.` },
  });
  expect(await partitionCountOf(topic)).toBe(2);
});

describe('a refusal by Kafka has its text', () => {
  const LONG = 'x'.repeat(250);
  test.each([
    [
      { topic_name: 'x!' },
      "Topic name is invalid: 'x!' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    [{ topic_name: '.' }, "Topic name is invalid: '.' is not allowed"],
    [{ topic_name: LONG }, `Topic name is invalid: the length of '${LONG}' is longer than the max allowed length 249`],
    [{ topic_name: '' }, "The given topic name '' cannot be represented in a request."],
    [{ topic_name: 'none', partitions_count: 0 }, 'Number of partitions was set to an invalid non-positive value.'],
    [
      { topic_name: 'none', replication_factor: 0 },
      'Replication factor must be larger than 0, or -1 to use the default value.',
    ],
  ])('%j', async (body, message) => {
    expect((await create(body)).body).toEqual({ error_code: 500, message });
  });
});

describe('an invalid request is refused', () => {
  test.each([
    ['{"topic_name":"t"}', 'application/vnd.kafka.binary.v2+json', 'The format of the request body is not supported'],
    ['', JSON_V2, 'The related request does not contain the required body.'],
    ['{', JSON_V2, "The request body can't be decoded"],
  ])('%j as %s', async (body, contentType, message) => {
    expect((await create(body, contentType)).body).toEqual({
      error_code: 400,
      message: `Validation error on: ${message}`,
    });
  });

  test('with all its violations', async () => {
    expect((await create({ partitions_count: '1', configs: {} })).body).toEqual({
      error_code: 400,
      message: 'Validation error on: Schema validation error',
      validation_errors: [
        'Instance does not have required property "topic_name"',
        'Property "partitions_count" does not match schema',
        'Instance type string is invalid. Expected integer, null',
        'Property "partitions_count" does not match additional properties schema',
        'Property "configs" does not match additional properties schema',
      ],
    });
  });
});

import { describe, expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { PROOF } from '../../../../test/harness/trust.ts';

const kafka = await kafkaOfFile();
/** How long records wait for a topic that does not exist. Requests that must not wait are far quicker, also on a busy machine. */
const MAX_BLOCK_MS = 6000;
const bridge = await bridgeOfFile({ producer: { maxBlockMs: MAX_BLOCK_MS }, limits: { maxBodyBytes: 100_000 } });

const KAFKA_V2 = 'application/vnd.kafka.v2+json';

test('JSON records are stored as compact JSON, and read back by another client', async () => {
  const topic = await kafka.topic();
  const answer = await bridge.produce(topic, {
    records: [
      { key: 'k', value: { b: 1, a: [null, true] }, timestamp: 1234, headers: [{ key: 'h', value: 'eA==' }] },
      { value: 'text', partition: 0 },
      { key: { id: 1 }, value: null },
    ],
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe(KAFKA_V2);
  expect(answer.text).toBe(
    '{"offsets":[{"partition":0,"offset":0},{"partition":0,"offset":1},{"partition":0,"offset":2}]}',
  );
  const messages = await kafka.read(topic, 3);
  expect(messages.map(({ key, value }) => [key?.toString(), value?.toString()])).toEqual([
    ['"k"', '{"b":1,"a":[null,true]}'],
    [undefined, '"text"'],
    ['{"id":1}', undefined],
  ]);
  expect(messages[0]?.timestamp).toBe('1234');
  expect(messages[0]?.headers).toEqual({ h: Buffer.from('x') });
});

test('binary and text records are stored as their bytes', async () => {
  const topic = await kafka.topic();
  await bridge.produce(topic, { records: [{ key: 'aw==', value: '/wA=' }] }, { format: 'binary' });
  await bridge.produce(topic, { records: [{ key: 'k', value: 'é' }] }, { format: 'text' });
  const messages = await kafka.read(topic, 2);
  expect(messages.map(({ key, value }) => [key?.toString(), value?.toString('hex')])).toEqual([
    ['k', 'ff00'],
    ['k', 'c3a9'],
  ]);
});

test('a request without records has no effect, and an async request gets its response before its records are stored', async () => {
  const topic = await kafka.topic();
  expect(await bridge.produce(topic, { records: [] })).toMatchObject({ status: 200, text: '{"offsets":[]}' });
  expect(await bridge.produce(topic, { records: [{ value: 'x' }] }, { query: '?async=true' })).toMatchObject({
    status: 204,
    text: '',
  });
  expect((await bridge.produce(topic, { records: [] }, { query: '?ASYNC=true' })).status).toBe(204);
  expect((await kafka.read(topic, 1))[0]?.value?.toString()).toBe('"x"');
});

test('records fail individually, and the others are stored', async () => {
  const topic = await kafka.topic(2);
  const answer = await bridge.produce(topic, {
    records: [
      { value: 'a', partition: 1 },
      { value: 'b', partition: 2 },
    ],
  });
  expect(answer).toMatchObject({
    status: 200,
    body: {
      offsets: [
        { partition: 1, offset: 0 },
        {
          error_code: 404,
          message: `Partition 2 of topic ${topic} with partition count 2 is not present in metadata after ${MAX_BLOCK_MS} ms.`,
        },
      ],
    },
  });
  const nowhere = unique('nowhere');
  expect((await bridge.produce(nowhere, { records: [{ value: 'a' }] })).body.offsets).toEqual([
    { error_code: 404, message: `Topic ${nowhere} not present in metadata after ${MAX_BLOCK_MS} ms.` },
  ]);
});

describe('requests that are refused as a whole', () => {
  const BODY = '{"records":[{"value":"v"}]}';
  test.each([
    [undefined, BODY, 400, 'Validation error on: The format of the request body is not supported'],
    [KAFKA_V2, BODY, 400, 'Validation error on: The format of the request body is not supported'],
    ['nonsense', BODY, 400, 'Validation error on: The format of the request body is not supported'],
    ['application/json', '', 400, 'Validation error on: The related request does not contain the required body.'],
    ['application/json', '{"records":', 400, "Validation error on: The request body can't be decoded"],
    ['application/json', '{"records":[{"value":1}]}', 400, 'Validation error on: Schema validation error'],
    ['application/json', '{}', 422, 'The request body has no "records": it must be a list of records'],
    [
      'application/json',
      '{"records":[{"value":"v","partition":-1}]}',
      422,
      'Invalid partition: -1. Partition number should always be non-negative or null.',
    ],
    [
      'application/json',
      '{"records":[{"value":"v","timestamp":-5}]}',
      422,
      'Invalid timestamp: -5. Timestamp should always be non-negative or null.',
    ],
    [
      'application/vnd.kafka.text.v2+json',
      '{"records":[{"value":{}}]}',
      422,
      "Because the embedded format is 'text', the value must be a string",
    ],
    [
      'application/json',
      `{"records":[{"value":"${'x'.repeat(100_000)}"}]}`,
      413,
      'The request body is larger than the limit of 100000 bytes',
    ],
  ])('%s %s', async (type, body, status, message) => {
    const answer = await bridge.request('POST', '/topics/t', {
      headers: type === undefined ? {} : { 'content-type': type },
      // As bytes: `fetch` would give a text its own type.
      body: Buffer.from(body),
    });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe(KAFKA_V2);
    expect(answer.body).toMatchObject({ error_code: status, message });
  });

  test.each([
    ['TRUE', 'string'],
    ['1', 'number'],
    ['', 'string'],
    ['null', 'null'],
  ])('async=%s', async (text, type) => {
    expect((await bridge.produce('t', BODY, { query: `?async=${text}` })).body).toEqual({
      error_code: 400,
      message: 'Validation error on: Schema validation error',
      validation_errors: [`Instance type ${type} is invalid. Expected boolean`],
    });
  });
});

test('the type of a body may have parameters and any case', async () => {
  const topic = await kafka.topic();
  const answer = await bridge.request('POST', `/topics/${topic}`, {
    headers: { 'content-type': 'Application/JSON; charset=utf-8' },
    body: '\ufeff/* c */ {"records":[{"value":"v"}]}',
  });
  expect(answer.body).toEqual({ offsets: [{ partition: 0, offset: 0 }] });
});

test('topics are listed without internal ones, and described with all their settings', async () => {
  const topic = await kafka.topic(2, { 'retention.ms': '3600000' });
  await kafka.committed(unique('group'), topic);
  const { body: names } = await bridge.get('/topics');
  expect(names).toContain(topic);
  expect(names).not.toContain('__consumer_offsets');
  const { status, body } = await bridge.get(`/topics/${topic}`);
  expect(status).toBe(200);
  expect(Object.keys(body)).toEqual(['name', 'configs', 'partitions']);
  expect(body.configs).toMatchObject({ 'retention.ms': '3600000', 'cleanup.policy': 'delete' });
  expect(body.partitions).toEqual(
    [0, 1].map((partition) => ({ partition, leader: 1, replicas: [{ broker: 1, leader: true, in_sync: true }] })),
  );
});

test('a 500 that the request caused is marked for gateways, and not for clients', async () => {
  const gateways = { 'causeway-gateway': 'tier1', ...PROOF };
  const ofRequest = await bridge.request('GET', '/topics/bad%20name', { headers: gateways });
  expect([ofRequest.status, ofRequest.headers.get('causeway-fault')]).toEqual([500, 'request']);
  const missing = await bridge.request('GET', `/topics/${unique('nowhere')}`, { headers: gateways });
  expect([missing.status, missing.headers.get('causeway-fault')]).toEqual([404, null]);
  const toClient = await bridge.get('/topics/bad%20name');
  expect([toClient.status, toClient.headers.get('causeway-fault')]).toEqual([500, null]);
});

test('a topic that does not exist, and an illegal name, are refused in the words of Kafka', async () => {
  expect(await bridge.get(`/topics/${unique('nowhere')}`)).toMatchObject({
    status: 404,
    body: {
      error_code: 404,
      message:
        'org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.',
    },
  });
  expect(await bridge.get('/topics/bad%20name')).toMatchObject({
    status: 500,
    body: {
      error_code: 500,
      message:
        'org.apache.kafka.common.errors.InvalidTopicException: The request attempted to perform an operation on an invalid topic.',
    },
  });
});

/** A format with schemas in the bridge's list, in place of text: its registry is slow, fails, or does not have a schema. */
import { request } from 'node:http';
import { type Format, hasSchemas, type SchemaFormat } from '@causeway/bridge/formats/codec.ts';
import { FORMATS_BY_NAME } from '@causeway/bridge/formats/formats.ts';
import { expect, inject, onTestFinished, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile, TestBridge, type TestConsumer } from '../../../test/harness/bridge.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { positionalFormat, type Registry, startRegistry } from '../../../test/harness/schema-format.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

/** A value as the format stores it. */
function stored(schemaId: number, members: string): { value: Buffer } {
  return { value: Buffer.concat([Buffer.from([0, 0, 0, 0, schemaId]), Buffer.from(members)]) };
}

interface Setting {
  registry: Registry;
  topic: string;
  /** Of each preparation, in their order. */
  signals: AbortSignal[];
}

/** The format ignores its signal: the bridge's bounds do not depend on the format. */
async function setUp(...records: { value: Buffer }[]): Promise<Setting> {
  const registry = await startRegistry({ 1: ['a'], 2: ['a', 'b'] });
  const signals: AbortSignal[] = [];
  const format = positionalFormat(registry.url);
  const watched: SchemaFormat = {
    prepare(topic, schemaIds, context) {
      signals.push(context.signal);
      return format.prepare(topic, schemaIds, context);
    },
    schemaIdOf: format.schemaIdOf,
  };
  const list: { text: Format } = FORMATS_BY_NAME;
  const before = list.text;
  expect(hasSchemas(before)).toBe(false);
  list.text = watched;
  onTestFinished(() => {
    list.text = before;
  });
  const topic = await kafka.topic();
  if (records.length > 0) await kafka.write(topic, records);
  return { registry, topic, signals };
}

async function consumerOf(topic: string): Promise<TestConsumer> {
  return await bridge.consumer(unique('group'), 'reader', [topic], { format: 'text' });
}

/** The registry does not respond until the returned function is called, or the test ends. */
function hold(registry: Registry): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  registry.gate = promise;
  onTestFinished(() => resolve());
  return resolve;
}

test('a poll whose schemas do not arrive ends with 503 for which no target is at fault, and keeps its records', async () => {
  const { registry, topic } = await setUp(stored(1, '[7]'));
  const release = hold(registry);
  const consumer = await consumerOf(topic);
  const late = await bridge.get(`${consumer.path}/records?timeout=10000`, { 'causeway-gateway': 'tier1', ...PROOF });
  expect(late.status).toBe(503);
  expect(late.body.message).toBe('The schemas of the records did not arrive in time');
  expect(late.headers.get('causeway-fault')).toBe('request');
  release();
  expect(await consumer.take(1)).toMatchObject([{ offset: 0, value: { a: 7 } }]);
});

test('a delete does not wait for the schemas of a poll, which ends without records', async () => {
  const { registry, topic, signals } = await setUp(stored(1, '[7]'));
  hold(registry);
  const consumer = await consumerOf(topic);
  const poll = consumer.poll('timeout=20000');
  await until('the poll waits for schemas', () => signals.length === 1);
  expect(await consumer.delete()).toMatchObject({ status: 204 });
  expect(await poll).toMatchObject({ status: 200, body: [] });
  expect(signals[0]?.reason).not.toMatchObject({ code: 'schemasUnavailable' });
});

test('a bridge that stops does not wait for the schemas of a poll, which ends without records', async () => {
  const { registry, topic, signals } = await setUp(stored(1, '[7]'));
  hold(registry);
  const stopping = await TestBridge.start(inject('kafkaBootstrap'));
  onTestFinished(() => stopping.close());
  const consumer = await stopping.consumer(unique('group'), 'reader', [topic], { format: 'text' });
  const poll = consumer.poll('timeout=20000');
  await until('the poll waits for schemas', () => signals.length === 1);
  await stopping.close();
  expect(await poll).toMatchObject({ status: 200, body: [] });
  expect(signals[0]?.reason).not.toMatchObject({ code: 'schemasUnavailable' });
});

test('a poll whose client leaves while it waits for schemas frees its turn', async () => {
  const { registry, topic, signals } = await setUp(stored(1, '[7]'));
  hold(registry);
  const consumer = await consumerOf(topic);
  const client = new AbortController();
  const left = fetch(`${bridge.url}${consumer.path}/records?timeout=20000`, { signal: client.signal });
  await until('the poll waits for schemas', () => signals.length === 1);
  client.abort();
  await expect(left).rejects.toThrow();
  await until('the bridge has seen that', () => signals[0]?.aborted === true);
  registry.gate = Promise.resolve();
  expect(await consumer.take(1)).toMatchObject([{ value: { a: 7 } }]);
  expect(signals[0]?.reason).not.toMatchObject({ code: 'schemasUnavailable' });
});

test('records whose client leaves before their schema arrives are not stored', async () => {
  const { registry, topic, signals } = await setUp();
  const release = hold(registry);
  const client = request(`${bridge.url}/topics/${topic}`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.kafka.text.v2+json' },
  });
  client.on('error', () => {});
  client.end('{"records":[{"value":{"a":"left","b":0}}]}');
  await until('the request waits for its schema', () => signals.length === 1);
  // A client that only ends its side may still read the response.
  client.socket?.resetAndDestroy();
  await until('the bridge has seen that', () => signals[0]?.aborted === true);
  expect(signals[0]?.reason).not.toMatchObject({ code: 'schemasUnavailable' });
  release();
  const produced = await bridge.produce(topic, { records: [{ value: { a: 'stayed', b: 0 } }] }, { format: 'text' });
  expect(produced.body).toEqual({ offsets: [{ partition: 0, offset: 0 }] });
});

test('a produce request whose schema does not arrive ends with 503', async () => {
  const { registry, topic } = await setUp();
  hold(registry);
  const late = await bridge.produce(topic, { records: [{ value: { a: 1, b: 2 } }] }, { format: 'text' });
  expect(late).toMatchObject({
    status: 503,
    body: { error_code: 503, message: 'The schemas of the records did not arrive in time' },
  });
});

test('an unknown schema fails the records that name it alone', async () => {
  const { topic } = await setUp(stored(1, '[7]'), stored(2, '[8,9]'), stored(9, '[0]'), stored(1, '[6]'));
  const consumer = await consumerOf(topic);
  await until('all records are there', async () => (await consumer.poll('timeout=1000')).status === 406);
  // The second record does not fit, and the third is not needed.
  const first = await consumer.poll(`timeout=1000&max_bytes=${120 + topic.length}`);
  expect(first).toMatchObject({ status: 200, body: [{ value: { a: 7 } }] });
  const rest = await consumer.poll('timeout=1000&on_error=report');
  expect(rest.body).toMatchObject([
    { offset: 1, value: { a: 8, b: 9 } },
    { offset: 2, error_code: 406, message: 'Failed to decode: no schema 9' },
    { offset: 3, value: { a: 6 } },
  ]);
});

test('a registry that fails makes a poll skip no record', async () => {
  const { registry, topic } = await setUp(stored(1, '[7]'), stored(2, '[8,9]'));
  registry.failure = 500;
  const consumer = await consumerOf(topic);
  const failed = await consumer.poll('timeout=3000&on_error=report');
  expect(failed).toMatchObject({
    status: 503,
    body: { message: 'The schemas of the records are not available: the registry responds 500' },
  });
  registry.failure = undefined;
  expect(await consumer.take(2)).toMatchObject([{ value: { a: 7 } }, { value: { a: 8, b: 9 } }]);
});

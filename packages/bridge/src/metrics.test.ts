import { KAFKA_RATES_HEADER, parseKafkaRates } from '@causeway/protocol/kafka-rates.ts';
import { expect, inject, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile, TestBridge } from '../../../test/harness/bridge.ts';
import { parseExposition, valueIn } from '../../../test/harness/exposition.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { BRIDGE_METRICS } from './metrics.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

async function exposed(of: TestBridge = bridge): Promise<string> {
  return (await of.get('/metrics')).text;
}

test('records and bytes are counted on their way in and out, with the sizes of batches and answers', async () => {
  const topic = await kafka.topic();
  await bridge.produce(topic, { records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] });
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  await consumer.take(3);
  const text = await exposed();
  expect(valueIn(text, 'causeway_bridge_records_produced_total', { outcome: 'ok' })).toBe(3);
  // Three values of three bytes each, and what a record needs beside them.
  expect(valueIn(text, 'causeway_bridge_produced_bytes_total')).toBeGreaterThanOrEqual(9);
  expect(valueIn(text, 'causeway_bridge_produce_batch_records_sum')).toBe(3);
  expect(valueIn(text, 'causeway_bridge_produce_batch_bytes_sum')).toBe(
    valueIn(text, 'causeway_bridge_produced_bytes_total'),
  );
  expect(valueIn(text, 'causeway_bridge_records_delivered_total')).toBe(3);
  expect(valueIn(text, 'causeway_bridge_poll_records_sum')).toBe(3);
  expect(valueIn(text, 'causeway_bridge_delivered_bytes_total')).toBeGreaterThan(3 * 50);
  await consumer.delete();
});

test('consumers are counted by what they do', async () => {
  const sessions = async (state: string): Promise<number> =>
    valueIn(await exposed(), 'causeway_bridge_sessions', { state });
  const idle = await bridge.consumer(unique('group'), 'c', []);
  const subscribed = await bridge.consumer(unique('group'), 'c', [await kafka.topic()]);
  expect([await sessions('idle'), await sessions('subscribed'), await sessions('assigned')]).toEqual([1, 1, 0]);
  await Promise.all([idle.delete(), subscribed.delete()]);
  expect([await sessions('idle'), await sessions('subscribed')]).toEqual([0, 0]);
});

test('lag counts records that a consumer has not got yet: over all consumers, and of the one that is furthest behind', async () => {
  const topic = await kafka.topic();
  await kafka.write(
    topic,
    Array.from({ length: 20 }, (_, index) => ({ value: `"${'x'.repeat(100)}${index}"` })),
  );
  const small = await TestBridge.start(inject('kafkaBootstrap'), { consumers: { maxPollRecords: 5 } });
  try {
    const slow = await small.consumer(unique('group'), 'slow', [topic]);
    const quick = await small.consumer(unique('group'), 'quick', [topic]);
    await slow.take(5);
    await quick.take(15);
    const text = await exposed(small);
    expect(valueIn(text, 'causeway_bridge_consumer_lag_records')).toBe(15 + 5);
    expect(valueIn(text, 'causeway_bridge_consumer_max_lag_records')).toBe(15);
    await quick.take(5);
    await slow.take(15);
    expect(valueIn(await exposed(small), 'causeway_bridge_consumer_lag_records')).toBe(0);
  } finally {
    await small.close();
  }
});

test('errors of Kafka are counted by its own names, and an unreachable broker as a failed connection', async () => {
  const before = await exposed();
  expect(await bridge.get(`/topics/${unique('nowhere')}`)).toMatchObject({ status: 404 });
  const code = 'UNKNOWN_TOPIC_OR_PARTITION';
  const count = (text: string, name: string) => valueIn(text, 'causeway_bridge_kafka_errors_total', { code: name });
  expect(count(await exposed(), code)).toBeGreaterThan(count(before, code));
  // Consumers of earlier tests have closed their connections in order.
  expect(count(before, 'NETWORK_EXCEPTION')).toBe(0);
  // No program listens on the discard port (RFC 863).
  const lonely = await TestBridge.start('127.0.0.1:9', { shutdown: { graceMs: 100 } });
  try {
    await until('it was tried', async () => count(await exposed(lonely), 'NETWORK_EXCEPTION') > 0);
    expect(valueIn(await exposed(lonely), 'causeway_bridge_ready')).toBe(0);
  } finally {
    await lonely.close();
  }
  // Errors of another bridge are not counted here.
  expect(count(await exposed(), 'NETWORK_EXCEPTION')).toBe(count(before, 'NETWORK_EXCEPTION'));
});

test('requests to Kafka are counted by their kinds, and those that produce are timed', async () => {
  const topic = await kafka.topic();
  const before = await exposed();
  await bridge.produce(topic, { records: [{ value: 'a' }] });
  const after = await exposed();
  const produced = (text: string) => valueIn(text, 'causeway_bridge_kafka_requests_total', { request: 'Produce' });
  expect(produced(after)).toBeGreaterThan(produced(before));
  expect(valueIn(after, 'causeway_bridge_kafka_requests_total', { request: 'Metadata' })).toBeGreaterThan(0);
  const timed = (text: string) => valueIn(text, 'causeway_bridge_kafka_produce_duration_seconds_count');
  expect(timed(after) - timed(before)).toBe(produced(after) - produced(before));
});

test('gateways that probe get the rates of these requests; a topic that a client invents is not an error', async () => {
  const reported = async () =>
    (await bridge.get('/ready', { 'causeway-gateway': 'tier1', ...PROOF })).headers.get(KAFKA_RATES_HEADER);
  const topic = await kafka.topic();
  await reported();
  await bridge.get(`/topics/${unique('nowhere')}`);
  await until('there is a second to compare', async () => {
    await bridge.produce(topic, { records: [{ value: 'a' }] });
    return (await reported()) !== null;
  });
  const rates = parseKafkaRates((await reported()) ?? '');
  expect(rates).toMatchObject({ errorsPerSecond: 0, p99Ms: expect.any(Number) });
  expect(rates?.requestsPerSecond).toBeGreaterThan(0);
  expect((await bridge.get('/ready')).headers.get(KAFKA_RATES_HEADER)).toBeNull();
});

test('what is declared is what is exposed', async () => {
  const metrics = parseExposition(await exposed());
  for (const { name, type, help } of BRIDGE_METRICS) expect(metrics.get(name)).toMatchObject({ type, help });
  const others = [...metrics.keys()].filter((name) => !BRIDGE_METRICS.some((metric) => metric.name === name));
  expect(others.filter((name) => !/^(?:process|nodejs)_/.test(name))).toEqual([]);
});

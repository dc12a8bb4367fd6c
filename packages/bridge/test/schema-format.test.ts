/** A format with schemas, which exists in this test alone: what it needs beside its own code is `prepare` and `schemaIdOf`. */

import { codecForReading } from '@causeway/bridge/consumers/prepared-codecs.ts';
import { responseText } from '@causeway/bridge/consumers/response-text.ts';
import type { SchemaFormat } from '@causeway/bridge/formats/codec.ts';
import { FORMATS_BY_NAME } from '@causeway/bridge/formats/formats.ts';
import { codecForRequest } from '@causeway/bridge/formats/preparation.ts';
import { recordsOf } from '@causeway/bridge/http/record-body.ts';
import { SlicedWork } from '@causeway/bridge/http/sliced-work.ts';
import { within } from '@causeway/bridge/kafka/client/limits.ts';
import { FetchBudget } from '@causeway/bridge/kafka/fetch/fetch-budget.ts';
import { Fetcher } from '@causeway/bridge/kafka/fetch/fetcher.ts';
import { ProduceClient } from '@causeway/bridge/kafka/produce/produce.ts';
import { Batcher } from '@causeway/bridge/producer/batcher.ts';
import { ProducerRecordList } from '@causeway/protocol/topics.ts';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaOfFile } from '../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../test/harness/cluster.ts';
import { positionalFormat, startRegistry } from '../../../test/harness/schema-format.ts';

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

const VISIT = { over: new AbortController().signal };
const LIMITS = { schema: ProducerRecordList, partition: undefined, maxRecords: 100, maxRecordBytes: 1000 };

async function produce(topic: string, format: SchemaFormat, body: string): Promise<void> {
  const client = new ProduceClient(cluster, { acks: 'all', timeoutMs: 20_000, compression: 'none' });
  const batcher = new Batcher(cluster, client, {
    maxBlockMs: 30_000,
    deliveryTimeoutMs: 120_000,
    maxQueuedBytes: 10_000_000,
    maxRequestBytes: 1_048_576,
    maxBatchBytes: 1_048_576,
    maxBatchRecords: 10_000,
  });
  try {
    const codec = await codecForRequest(format, topic, VISIT);
    const records = await new SlicedWork().run(recordsOf(Buffer.from(body), codec, LIMITS));
    for (const result of await batcher.send(topic, records)) expect(result).toHaveProperty('offset');
  } finally {
    await batcher.close();
    await client.close();
  }
}

async function poll(topic: string, format: SchemaFormat): Promise<unknown> {
  await cluster.topics([topic], within(20_000));
  const fetcher = new Fetcher(cluster, 'reset', {
    clientId: 'test',
    isolationLevel: 'read_uncommitted',
    minBytes: 1,
    maxBytes: 1_048_576,
    maxWaitMs: 5000,
    isChecking: true,
    requestTimeoutMs: 20_000,
    budget: new FetchBudget(Number.POSITIVE_INFINITY),
  });
  onTestFinished(() => fetcher.close());
  fetcher.assign([{ topic, partition: 0 }]);
  fetcher.partitions.setPositions([{ topic, partition: 0, offset: 0n }]);
  await fetcher.fill(within(20_000));
  const reader = fetcher.partitions.read(100);
  const slices = new SlicedWork();
  const codec = await codecForReading(format, reader, { slices, limits: within(20_000) });
  return JSON.parse((await slices.run(responseText(reader, { codec }))).toString());
}

test('a format looks its schemas up once before the records of a request, and once before those of a poll', async () => {
  const registry = await startRegistry({ 1: ['b', 'a'], 2: ['a', 'b', 'c'] });
  const format = positionalFormat(registry.url);
  const topic = await kafka.topic();
  const ofEarlierSchema = Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), Buffer.from('[7,8]')]);
  await kafka.write(topic, [{ value: ofEarlierSchema }]);
  await produce(
    topic,
    format,
    '{"records":[{"value":{"c":3,"a":1,"b":2}},{"key":{"a":"k","b":0,"c":0},"value":{"a":[],"b":"x","c":null}}]}',
  );
  expect(registry.asked.splice(0)).toEqual(['/2']);
  const stored = await kafka.read(topic, 3);
  expect(stored.map(({ value }) => value?.toString('latin1'))).toEqual([
    '\0\0\0\0\x01[7,8]',
    '\0\0\0\0\x02[1,2,3]',
    '\0\0\0\0\x02[[],"x",null]',
  ]);
  expect(await poll(topic, format)).toMatchObject([
    { key: null, value: { b: 7, a: 8 } },
    { key: null, value: { a: 1, b: 2, c: 3 } },
    { key: { a: 'k', b: 0, c: 0 }, value: { a: [], b: 'x', c: null } },
  ]);
  expect(registry.asked.toSorted()).toEqual(['/1', '/2']);
});

test('a value that does not fit its schema is refused with the record, and an unknown schema with its id', async () => {
  const registry = await startRegistry({ 2: ['a'] });
  const format = positionalFormat(registry.url);
  const topic = await kafka.topic();
  await expect(produce(topic, format, '{"records":[{"value":{"a":1}},{"value":{"b":1}}]}')).rejects.toMatchObject({
    code: 'invalidValue',
    message: 'The value does not fit its schema (record 1)',
  });
  await kafka.write(topic, [{ value: Buffer.from('\0\0\0\0\x09[1]') }]);
  await expect(poll(topic, format)).rejects.toMatchObject({
    code: 'recordUndecodable',
    message: expect.stringContaining('no schema 9'),
  });
});

test('a format without schemas is ready at once', () => {
  expect(codecForRequest(FORMATS_BY_NAME.json, 'any', VISIT)).toBe(FORMATS_BY_NAME.json);
});

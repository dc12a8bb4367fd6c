import { describe, expect, onTestFinished, test } from 'vitest';
import { kafkaOfFile } from '../../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../../test/harness/cluster.ts';
import { CountingClient } from '../../../../test/harness/counting-client.ts';
import { until } from '../../../../test/harness/until.ts';
import { within } from '../kafka/client/limits.ts';
import { ProducerId } from '../kafka/produce/producer-id.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import { Batcher } from './batcher.ts';

const SMALL_TOPIC = { 'max.message.bytes': '1000' };
const TOO_LARGE = Buffer.alloc(2000, 'x');
const GOOD = Buffer.from('good');

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

/** A batcher whose topic is known already. */
async function batcherFor(topic: string): Promise<{ batcher: Batcher; client: CountingClient }> {
  const client = new CountingClient(cluster, { acks: 'all', timeoutMs: 20_000, compression: 'none' });
  const batcher = new Batcher(cluster, client, {
    maxBlockMs: 30_000,
    deliveryTimeoutMs: 120_000,
    maxQueuedBytes: 10_000_000,
    maxRequestBytes: 1_048_576,
    maxBatchBytes: 1_048_576,
    maxBatchRecords: 10_000,
    producerId: new ProducerId(cluster, () => {}),
  });
  onTestFinished(async () => {
    await batcher.close();
    await client.close();
  });
  await cluster.topics([topic], within(20_000));
  return { batcher, client };
}

function recordOf(value: Buffer, partition = 0): RecordToProduce {
  return { key: null, value, headers: undefined, partition, timestampMs: undefined };
}

function isStored(result: ProduceResult | undefined): boolean {
  return result !== undefined && 'offset' in result;
}

describe('records that are too large for their topic cost a request each, and the others no more than that', () => {
  const COUNT = 256;
  const HALVINGS = Math.log2(COUNT);

  test.each([
    ['all', () => true, COUNT + HALVINGS],
    ['all but the last', (index: number) => index < COUNT - 1, COUNT + HALVINGS],
    ['every second one', (index: number) => index % 2 === 0, 2 * COUNT + HALVINGS],
    ['every third one', (index: number) => index % 3 === 2, 2 * COUNT + HALVINGS],
    ['the first half', (index: number) => index < COUNT / 2, COUNT / 2 + 2 * HALVINGS],
    ['the second half', (index: number) => index >= COUNT / 2, COUNT / 2 + 2 * HALVINGS],
    ['the first', (index: number) => index === 0, 3 * HALVINGS],
    ['the last', (index: number) => index === COUNT - 1, 3 * HALVINGS],
    ['one in the middle', (index: number) => index === 100, 3 * HALVINGS],
  ])('%s', async (_, isTooLarge, maxRequests) => {
    const topic = await kafka.topic(1, SMALL_TOPIC);
    const { batcher, client } = await batcherFor(topic);
    const records = Array.from({ length: COUNT }, (_value, index) => recordOf(isTooLarge(index) ? TOO_LARGE : GOOD));
    const results = await batcher.send(topic, records);
    expect(results.map(isStored)).toEqual(records.map(({ value }) => value === GOOD));
    const offsets = results.flatMap((result) => ('offset' in result ? [result.offset] : []));
    expect(offsets).toEqual(offsets.map((_offset, index) => BigInt(index)));
    // Halves of odd numbers are rounded up, and the rest is a batch of its own.
    expect(client.sentCounts.length).toBeLessThanOrEqual(maxRequests + 2);
  });
});

test('2,000 records that are too large do not affect other partitions, and later records of their own partition are stored', async () => {
  const COUNT = 2000;
  const topic = await kafka.topic(2, SMALL_TOPIC);
  const { batcher, client } = await batcherFor(topic);
  const tooLarge = batcher.send(
    topic,
    Array.from({ length: COUNT }, () => recordOf(TOO_LARGE)),
  );
  await until('they are in flight', () => client.sentCounts.length > 0);
  let isOver = false;
  const behind = batcher.send(topic, [recordOf(GOOD)]).finally(() => {
    isOver = true;
  });
  const requestsBeside: number[] = [];
  while (!isOver) {
    const before = client.sentCounts.length;
    const [result] = await batcher.send(topic, [recordOf(GOOD, 1)]);
    expect(isStored(result)).toBe(true);
    requestsBeside.push(client.sentCounts.length - before);
  }
  // The one in flight, and its own.
  expect(Math.max(...requestsBeside)).toBeLessThanOrEqual(2);
  expect(isStored((await behind)[0])).toBe(true);
  expect((await tooLarge).some(isStored)).toBe(false);
  // A batch holds 512 KB of them, and is halved ten times; after that each is refused alone.
  expect(client.sentCounts.length).toBeLessThanOrEqual(COUNT + 20);
});

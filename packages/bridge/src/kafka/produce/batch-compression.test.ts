import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { kafkaOfFile, TestBridge } from '../../../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../../../test/harness/cluster.ts';
import { hasDebianTool } from '../../../../../test/harness/debian-tool.ts';
import { unique } from '../../../../../test/harness/kafka-view.ts';
import type { RecordToProduce } from '../../records.ts';
import { within } from '../client/limits.ts';
import { fetchFrom } from '../fetch/fetch.ts';
import { type RecordBatch, readBatches } from '../fetch/record-batches.ts';
import { RecordCursor } from '../fetch/record-cursor.ts';
import type { Compression } from './batch-compression.ts';
import { ProduceClient } from './produce.ts';

/** By their bits in a batch's attributes. */
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly Compression[];
const COMPRESSION_BITS = 0b111;

function valuesOf({ records, recordCount }: RecordBatch): (string | undefined)[] {
  const cursor = new RecordCursor(records);
  return Array.from({ length: recordCount }, () => {
    cursor.next();
    return cursor.value?.toString();
  });
}

/** Larger than the blocks in which codecs work, and not all the same. */
const VALUES = Array.from({ length: 3000 }, (_, index) => `${index} ${'abcdefgh'.repeat(index % 20)}`);

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

function recordsOf(values: readonly string[]): RecordToProduce[] {
  return values.map((value) => ({
    value: Buffer.from(value),
    key: null,
    headers: undefined,
    partition: undefined,
    timestampMs: undefined,
  }));
}

/** The batches of partition 0, as they are in the log. */
async function storedBatches(topic: string) {
  const [id, broker] = await locate(topic);
  const partition = { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0n, lastFetchedEpoch: -1 };
  const topics = [{ topicId: id, partitions: [{ ...partition, partitionMaxBytes: 4_194_304 }] }];
  const { partitions } = await cluster.onBroker(broker, (connection) =>
    fetchFrom(connection, [1000, 1, 4_194_304, 0, 0, -1, topics, [], '']),
  );
  return readBatches(partitions[0]?.batches ?? Buffer.alloc(0));
}

async function locate(topic: string) {
  await cluster.topics([topic], within(5000));
  const info = cluster.knownTopic(topic);
  const leader = info?.partitions[0]?.leader ?? -1;
  const broker = cluster.broker(leader);
  if (info === undefined || broker === undefined) throw new Error(`${topic} has no leader`);
  return [info.id, broker, leader] as const;
}

describe('producing', () => {
  test.each(CODECS)('batches are compressed with %s, and a broker can read them', async (compression) => {
    const client = new ProduceClient(cluster, { acks: 'all', timeoutMs: 5000, compression });
    onTestFinished(() => client.close());
    const asSent = await kafka.topic();
    // The broker itself decompresses what it stores here.
    const decompressed = await kafka.topic(1, { 'compression.type': 'uncompressed' });
    for (const topic of [asSent, decompressed]) {
      const [, , leader] = await locate(topic);
      const outcome = await client.send(leader, [{ topic, partition: 0, records: recordsOf(VALUES) }]);
      expect(outcome).toEqual([{ kind: 'stored', baseOffset: 0n }]);
    }
    const batches = await storedBatches(asSent);
    expect(batches.map(({ attributes }) => CODECS[attributes & COMPRESSION_BITS])).toEqual([compression]);
    expect(batches.flatMap(valuesOf)).toEqual(VALUES);
    const read = await kafka.read(decompressed, VALUES.length);
    expect(read.map(({ value }) => value?.toString())).toEqual(VALUES);
  });
});

test('a bridge compresses as its configuration says', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), { producer: { compression: 'zstd' } });
  onTestFinished(() => bridge.close());
  const topic = await kafka.topic();
  await bridge.produce(topic, { records: VALUES.map((value) => ({ value })) }, { format: 'text' });
  const [batch] = await storedBatches(topic);
  expect(CODECS[(batch?.attributes ?? 0) & COMPRESSION_BITS]).toBe('zstd');
});

describe('consuming', () => {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await TestBridge.start(inject('kafkaBootstrap'), { consumers: { maxPollRecords: 10_000 } });
  });
  afterAll(() => bridge.close());

  async function expectConsumed(topic: string, codec: Compression): Promise<void> {
    expect(
      new Set((await storedBatches(topic)).map(({ attributes }) => CODECS[attributes & COMPRESSION_BITS])),
    ).toEqual(new Set([codec]));
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { format: 'text' });
    const records = await consumer.take(VALUES.length);
    expect(records.map(({ value }) => value)).toEqual(VALUES);
  }

  test.each(CODECS.slice(1))('batches that a broker compressed with %s', async (codec) => {
    const topic = await kafka.topic(1, { 'compression.type': codec });
    await kafka.write(
      topic,
      VALUES.map((value) => ({ value })),
    );
    await expectConsumed(topic, codec);
  });

  const hasKcat = hasDebianTool('kcat', '-V');
  test.skipIf(!hasKcat).each(CODECS.slice(1))(
    `batches that kcat compressed with %s${hasKcat ? '' : ' (skipped: needs the Debian package kcat)'}`,
    async (codec) => {
      const topic = await kafka.topic();
      const args = ['-P', '-b', inject('kafkaBootstrap'), '-t', topic, '-p', '0', '-z', codec, '-X', 'linger.ms=100'];
      const { status, stderr } = spawnSync('kcat', args, { input: VALUES.join('\n'), encoding: 'utf8' });
      expect({ status, stderr }).toMatchObject({ status: 0 });
      await expectConsumed(topic, codec);
    },
  );
});

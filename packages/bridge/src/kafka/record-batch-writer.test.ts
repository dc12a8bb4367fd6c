import { createRecordsBatch } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import type { RecordToProduce } from '../records.ts';
import { canShareBatch } from './produce.ts';
import { writeBatch } from './record-batch-writer.ts';
import { readBatches } from './record-batches.ts';
import { RecordCursor } from './record-cursor.ts';

const NOW_MS = 1_700_000_000_000n;
const CRC_AT = 17;

function record(fields: Partial<RecordToProduce>): RecordToProduce {
  return { key: null, value: null, headers: undefined, partition: undefined, timestampMs: undefined, ...fields };
}

const RECORDS = [
  record({ key: Buffer.from('k'), value: Buffer.from('first'), timestampMs: NOW_MS - 1000n }),
  record({}),
  record({ key: Buffer.alloc(0), value: Buffer.alloc(40_000, 'x'), timestampMs: NOW_MS + 2n ** 31n - 1001n }),
  record({
    ...{ value: Buffer.alloc(64, 'y'), timestampMs: NOW_MS - 2000n },
    headers: [
      [Buffer.from('h'), Buffer.from('v')],
      [Buffer.from('h'), null],
    ],
  }),
  ...Array.from({ length: 9000 }, (_, index) => record({ value: Buffer.from(`v${index}`) })),
];

test('records are read as they were written, with the time of sending where they have none', () => {
  const [batch, ...others] = readBatches(writeBatch(RECORDS, NOW_MS));
  expect(others).toEqual([]);
  if (batch === undefined) throw new Error('no batch');
  expect(batch.recordCount).toBe(RECORDS.length);
  const cursor = new RecordCursor(batch.records);
  for (const [index, { key, value, headers, timestampMs }] of RECORDS.entries()) {
    cursor.next();
    expect([cursor.offsetDelta, cursor.key, cursor.value]).toEqual([index, key, value]);
    expect(cursor.headers).toEqual(headers ?? []);
    expect(cursor.timestampDeltaMs).toBe(Number((timestampMs ?? NOW_MS) - batch.firstTimestampMs));
  }
  expect(cursor.at).toBe(batch.records.length);
  expect(batch.maxTimestampMs).toBe(NOW_MS + 2n ** 31n - 1001n);
});

test('records that may share a batch keep their times in it also when it goes again, an hour later', () => {
  const hourMs = 3_600_000n;
  const nowMs = BigInt(Date.now());
  const ages = Array.from({ length: 20 * 24 }, (_, index) => BigInt(index + 10 * 24) * hourMs);
  const shared = ages.filter((ageMs) => canShareBatch(record({ timestampMs: nowMs - ageMs }), record({})));
  expect(shared).not.toHaveLength(0);
  for (const ageMs of shared) {
    const [batch] = readBatches(writeBatch([record({ timestampMs: nowMs - ageMs }), record({})], nowMs + hourMs));
    const cursor = new RecordCursor(batch?.records ?? Buffer.alloc(0));
    cursor.next();
    cursor.next();
    expect(cursor.timestampDeltaMs).toBe(Number(ageMs + hourMs));
  }
});

test('a batch is to the byte what the library writes, but for the fields of producers and leaders', () => {
  const records = RECORDS.filter(({ headers }) => headers === undefined);
  const messages = records.map(({ key, value, timestampMs }) => ({
    ...{ topic: 't', key, value },
    timestamp: timestampMs ?? NOW_MS,
  }));
  const library = createRecordsBatch(
    messages as never,
    { partitionLeaderEpoch: -1, producerEpoch: -1 } as never,
  ).buffer;
  // The library has a first sequence of 0, where Kafka's own producer says that there is none.
  library.writeInt32BE(-1, 53);
  const own = writeBatch(records, NOW_MS);
  expect(own.subarray(0, CRC_AT)).toEqual(library.subarray(0, CRC_AT));
  expect(own.subarray(CRC_AT + 4).equals(library.subarray(CRC_AT + 4))).toBe(true);
});

import { createRecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordToProduce } from '../../records.ts';
import { readBatches } from '../fetch/record-batches.ts';
import { RecordCursor } from '../fetch/record-cursor.ts';
import { writeBatch } from './record-batch-writer.ts';

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
    value: Buffer.alloc(64, 'y'),
    timestampMs: NOW_MS - 2000n,
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

/** Near the powers of two, where a varlong gets longer, and anywhere else. */
const timestamps = fc.option(
  fc.oneof(
    fc.bigInt(0n, 2n ** 63n - 1n),
    fc.tuple(fc.bigInt(0n, 62n), fc.bigInt(-2n, 2n)).map(([power, more]) => {
      const timestampMs = 2n ** power + more;
      return timestampMs < 0n ? 0n : timestampMs;
    }),
    fc.constant(2n ** 63n - 1n),
  ),
  { nil: undefined },
);

test('records keep their timestamps in a batch, however far apart these are', () => {
  const property = fc.property(fc.array(timestamps, { minLength: 1, maxLength: 50 }), (all) => {
    const records = all.map((timestampMs, index) => record({ timestampMs, value: Buffer.from(`v${index}`) }));
    const expected = all.map((timestampMs) => timestampMs ?? NOW_MS);
    const [batch, ...others] = readBatches(writeBatch(records, NOW_MS));
    expect(others).toEqual([]);
    if (batch === undefined) throw new Error('no batch');
    const cursor = new RecordCursor(batch.records);
    const read = expected.map(() => {
      cursor.next();
      return batch.firstTimestampMs + BigInt(cursor.timestampDeltaMs);
    });
    expect(read).toEqual(expected);
    expect(cursor.value).toEqual(records.at(-1)?.value);
    expect(cursor.at).toBe(batch.records.length);
    expect(batch.maxTimestampMs).toBe(expected.reduce((max, time) => (time > max ? time : max)));
  });
  fc.assert(property, { numRuns: 300 });
});

test('a batch equals one of the library byte by byte, except for the fields of producers and leaders', () => {
  const records = RECORDS.filter(({ headers }) => headers === undefined);
  const messages = records.map(({ key, value, timestampMs }) => ({
    topic: 't',
    key,
    value,
    timestamp: timestampMs ?? NOW_MS,
  }));
  const library = createRecordsBatch(
    messages as never,
    { partitionLeaderEpoch: -1, producerEpoch: -1 } as never,
  ).buffer;
  // The library writes a first sequence of 0, where Kafka's own producer writes that there is no sequence.
  library.writeInt32BE(-1, 53);
  const own = writeBatch(records, NOW_MS);
  expect(own.subarray(0, CRC_AT)).toEqual(library.subarray(0, CRC_AT));
  expect(own.subarray(CRC_AT + 4).equals(library.subarray(CRC_AT + 4))).toBe(true);
});

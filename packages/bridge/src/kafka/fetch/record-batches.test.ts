import { createRecordsBatch } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { type RecordBatch, readBatches } from './record-batches.ts';
import { RecordCursor } from './record-cursor.ts';

const MESSAGES = [
  { topic: 't', key: Buffer.from('k'), value: Buffer.from('first'), timestamp: 1_700_000_000_000n },
  { topic: 't', key: null, value: null, timestamp: 1_700_000_000_500n },
  {
    topic: 't',
    key: Buffer.alloc(0),
    value: Buffer.alloc(300, 'x'),
    timestamp: 1_699_999_999_000n,
    headers: new Map([[Buffer.from('h'), Buffer.from('v')]]),
  },
];

/** Of a batch. */
const HEAD_BYTES = 61;
const LENGTH_AT = 8;
const RECORD_COUNT_AT = 57;

function batch(compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' = 'none'): Buffer {
  return createRecordsBatch(MESSAGES as never, { compression }).buffer;
}

function readRecords(batch: RecordBatch, count = batch.recordCount) {
  const cursor = new RecordCursor(batch.records);
  return Array.from({ length: count }, () => {
    cursor.next();
    const { offsetDelta, timestampDeltaMs, key, value, headers } = cursor;
    return { offsetDelta, timestampDeltaMs, key, value, headers };
  });
}

test('a batch that was taken keeps no decompressed records, and can be read again', () => {
  const [first] = readBatches(batch('gzip'));
  if (first === undefined) throw new TypeError('no batch');
  const { records } = first;
  expect(first.records).toBe(records);
  first.release();
  expect(first.records).not.toBe(records);
  expect(first.records).toEqual(records);
});

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('records come out as they went in: %s', (compression) => {
  const [first] = readBatches(batch(compression));
  expect(first).toMatchObject({ firstOffset: 0n, lastOffsetDelta: 2, firstTimestampMs: 1_700_000_000_000n });
  const records = first === undefined ? [] : readRecords(first);
  expect(records.map(({ offsetDelta }) => offsetDelta)).toEqual([0, 1, 2]);
  expect(records.map(({ timestampDeltaMs }) => timestampDeltaMs)).toEqual([0, 500, -1000]);
  expect(records.map(({ key }) => key?.toString())).toEqual(['k', undefined, '']);
  expect(records.map(({ value }) => value?.toString())).toEqual(['first', undefined, 'x'.repeat(300)]);
  expect(records.map(({ headers }) => headers.map(String))).toEqual([[], [], ['h,v']]);
});

test('a batch that is cut off is left for the next fetch', () => {
  const whole = batch();
  const both = Buffer.concat([whole, whole]);
  expect(readBatches(both)).toHaveLength(2);
  for (let length = whole.length; length < both.length; length += 1) {
    expect(readBatches(both.subarray(0, length)), `${length} bytes`).toHaveLength(1);
  }
});

test('a batch that ends within a record is an error, not a record', () => {
  const [first] = readBatches(batch());
  if (first === undefined) throw new Error('no batch');
  expect(() => readRecords(first, 4)).toThrow(RangeError);
});

test.each([[[0x0a, 0, 0, 0, 0x01]], [[0x10, 0, 0, 0, 0x20, 0x61, 0x01, 0, 0]], [[0x01]], [[0x80]]])(
  'bytes that are no record are an error: %j',
  (bytes) => {
    expect(() => new RecordCursor(Buffer.from(bytes)).next()).toThrow(RangeError);
  },
);

/** What compaction leaves of a batch without records: its head. */
function emptyBatch(): Buffer {
  const head = Buffer.from(batch().subarray(0, HEAD_BYTES));
  head.writeInt32BE(HEAD_BYTES - 12, LENGTH_AT);
  head.writeInt32BE(0, RECORD_COUNT_AT);
  return head;
}

test('a batch without records is a batch, alone and before others', () => {
  expect(readBatches(emptyBatch()).map(({ recordCount }) => recordCount)).toEqual([0]);
  expect(readBatches(Buffer.concat([emptyBatch(), batch()])).map(({ recordCount }) => recordCount)).toEqual([0, 3]);
});

test('bytes that are no batch end the reading, and are an error where they come first', () => {
  const short = emptyBatch();
  short.writeInt32BE(HEAD_BYTES - 13, LENGTH_AT);
  expect(() => readBatches(short)).toThrow(RangeError);
  expect(readBatches(Buffer.concat([batch(), short]))).toHaveLength(1);
});

test('checksums are compared unless the bridge is configured not to', () => {
  const damaged = batch();
  damaged.writeUInt8(damaged.readUInt8(damaged.length - 2) ^ 1, damaged.length - 2);
  expect(() => readBatches(damaged)[0]?.records).toThrow('checksum');
  expect(readBatches(damaged, { isChecking: false })[0]?.records).toHaveLength(damaged.length - HEAD_BYTES);
});

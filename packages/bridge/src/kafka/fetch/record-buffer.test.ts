import { describe, expect, test } from 'vitest';
import { writeBatch } from '../produce/record-batch-writer.ts';
import {
  appended,
  EMPTY_BUFFER,
  fetchedBuffer,
  hasRecords,
  type RecordBuffer,
  remainingBytes,
} from './record-buffer.ts';
import { RecordCursor } from './record-cursor.ts';

const LAST_OFFSET_DELTA_AT = 23;
const RECORD_COUNT_AT = 57;
const LENGTH_AT = 8;
const HEAD_BYTES = 61;

/** Records with consecutive offsets from `first`; `last`: of the batch, beyond those that compaction has left. */
function batchOf(first: number, count: number, last = first + count - 1): Buffer {
  const records = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.from(`${first + index}`),
    headers: undefined,
    partition: undefined,
    timestampMs: 1n,
  }));
  const bytes = writeBatch(records, 1n);
  bytes.writeBigInt64BE(BigInt(first), 0);
  bytes.writeInt32BE(last - first, LAST_OFFSET_DELTA_AT);
  return bytes;
}

/** A batch of which compaction has left the head. */
function emptyBatch(first: number, last: number): Buffer {
  const head = Buffer.from(batchOf(first, 1, last).subarray(0, HEAD_BYTES));
  head.writeInt32BE(HEAD_BYTES - 12, LENGTH_AT);
  head.writeInt32BE(0, RECORD_COUNT_AT);
  return head;
}

function bufferOf(position: number, ...batches: Buffer[]): RecordBuffer {
  const options = { abortedTransactions: null, isChecking: false };
  return fetchedBuffer({ position: BigInt(position), batches: Buffer.concat(batches), ...options });
}

/** Values of the records from the next one on. */
function values({ batches, next }: RecordBuffer): string {
  return batches
    .flatMap((batch, batchIndex) => {
      const [index, at] = batchIndex === 0 ? [next.index, next.at] : [0, 0];
      const cursor = new RecordCursor(batch.records, at);
      return Array.from({ length: batch.recordCount - index }, () => {
        cursor.next();
        return String(cursor.value);
      });
    })
    .join(' ');
}

describe('records from a position', () => {
  test.each([
    [0, '0 1 2 3 4 5', 6],
    [1, '1 2 3 4 5', 6],
    [2, '2 3 4 5', 6],
    [3, '3 4 5', 6],
    [5, '5', 6],
    [6, '', 6],
    [9, '', 9],
  ])('%i, of two batches of three: %s', (position, expected, end) => {
    const buffer = bufferOf(position, batchOf(0, 3), batchOf(3, 3));
    expect(values(buffer)).toBe(expected);
    expect(buffer.end).toBe(BigInt(end));
    expect(hasRecords(buffer)).toBe(expected !== '');
  });

  test('a position among records that compaction has removed is that of the next batch', () => {
    const batches = [batchOf(0, 2, 9), batchOf(10, 1)];
    expect(values(bufferOf(1, ...batches))).toBe('1 10');
    expect(values(bufferOf(2, ...batches))).toBe('10');
    expect(values(bufferOf(9, ...batches))).toBe('10');
    expect(bufferOf(5, batchOf(0, 2, 9))).toMatchObject({ batches: [], end: 10n });
  });

  test('a batch without records moves the end', () => {
    const buffer = bufferOf(0, emptyBatch(0, 4));
    expect(hasRecords(buffer)).toBe(false);
    expect(buffer.end).toBe(5n);
    expect(values(bufferOf(0, emptyBatch(0, 4), batchOf(5, 1)))).toBe('5');
  });

  test('without batches the end is the position', () => {
    expect(bufferOf(7)).toMatchObject({ batches: [], end: 7n });
  });
});

test('records that were fetched later come after those that are left', () => {
  const [first, later] = [bufferOf(1, batchOf(0, 3)), bufferOf(3, batchOf(3, 1))];
  expect(values(appended(first, later))).toBe('1 2 3');
  expect(appended(first, later).end).toBe(4n);
  expect(appended(EMPTY_BUFFER, later)).toBe(later);
});

test('the remaining bytes shrink with the records that were taken', () => {
  const bytes = batchOf(0, 4).length;
  expect(remainingBytes(EMPTY_BUFFER)).toBe(0);
  expect(remainingBytes(bufferOf(0, batchOf(0, 4)))).toBe(bytes);
  expect(remainingBytes(bufferOf(1, batchOf(0, 4)))).toBe(0.75 * bytes);
  expect(remainingBytes(bufferOf(3, batchOf(0, 4), batchOf(4, 4)))).toBe(1.25 * bytes);
});

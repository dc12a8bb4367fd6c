import { expect, test } from 'vitest';
import type { RecordToProduce } from '../../records.ts';
import { writeBatch } from '../produce/record-batch-writer.ts';
import { visibleBatches } from './read-committed.ts';
import { type RecordBatch, readBatches } from './record-batches.ts';

const ATTRIBUTES_AT = 21;
const PRODUCER_ID_AT = 43;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

interface Written {
  offset: number;
  producerId?: number;
  isTransactional?: boolean;
  /** Of a control batch. */
  marker?: 'abort' | 'commit';
}

/** A batch of one record, with the head that a broker has for it. */
function batchOf({ offset, producerId = 1, isTransactional = true, marker }: Written): RecordBatch {
  const key = marker === undefined ? null : Buffer.from([0, 0, 0, marker === 'abort' ? 0 : 1]);
  const record: RecordToProduce = { key, value: null, headers: undefined, partition: 0, timestampMs: 1n };
  const bytes = writeBatch([record], 1n);
  bytes.writeBigInt64BE(BigInt(offset), 0);
  bytes.writeInt16BE((isTransactional ? TRANSACTIONAL : 0) | (marker === undefined ? 0 : CONTROL), ATTRIBUTES_AT);
  bytes.writeBigInt64BE(BigInt(producerId), PRODUCER_ID_AT);
  const [batch] = readBatches(bytes, { isChecking: false });
  return batch ?? expect.fail('no batch');
}

function visibleOffsets(
  written: readonly Written[],
  aborted: [producerId: number, firstOffset: number][] | null,
): number[] {
  const transactions = aborted?.map(([producerId, firstOffset]) => ({
    producerId: BigInt(producerId),
    firstOffset: BigInt(firstOffset),
  }));
  return visibleBatches(written.map(batchOf), transactions ?? null).map(({ firstOffset }) => Number(firstOffset));
}

test('markers are never visible', () => {
  expect(visibleOffsets([{ offset: 0 }, { offset: 1, marker: 'commit' }, { offset: 2 }], null)).toEqual([0, 2]);
});

test('an aborted transaction is hidden up to its marker, and its producer is visible again after it', () => {
  const written: Written[] = [
    { offset: 0 },
    { offset: 1, marker: 'abort' },
    { offset: 2 },
    { offset: 3, marker: 'commit' },
  ];
  expect(visibleOffsets(written, [[1, 0]])).toEqual([2]);
});

test('two aborted transactions of one producer in one fetch, named in any order', () => {
  const written: Written[] = [
    { offset: 0 },
    { offset: 1, marker: 'abort' },
    { offset: 2 },
    { offset: 3, marker: 'commit' },
    { offset: 4 },
    { offset: 5, marker: 'abort' },
    { offset: 6 },
  ];
  expect(
    visibleOffsets(written, [
      [1, 4],
      [1, 0],
    ]),
  ).toEqual([2, 6]);
});

test('other producers, and records without a transaction, are visible beside an aborted one', () => {
  const written: Written[] = [
    { offset: 0, producerId: 2 },
    { offset: 1 },
    { offset: 2, isTransactional: false },
    { offset: 3, producerId: 2 },
    { offset: 4, marker: 'abort' },
  ];
  expect(visibleOffsets(written, [[1, 1]])).toEqual([0, 2, 3]);
});

test('a transaction that begins in a batch is aborted from that batch on, and not before', () => {
  expect(visibleOffsets([{ offset: 3 }, { offset: 4 }], [[1, 4]])).toEqual([3]);
  expect(visibleOffsets([{ offset: 3 }, { offset: 4 }], [[1, 5]])).toEqual([3, 4]);
});

test('a commit marker does not end an aborted transaction', () => {
  expect(visibleOffsets([{ offset: 0 }, { offset: 1, marker: 'commit' }, { offset: 2 }], [[1, 0]])).toEqual([]);
});

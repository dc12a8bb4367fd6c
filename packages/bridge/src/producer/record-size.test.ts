import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeBatch } from '../kafka/produce/record-batch-writer.ts';
import { addedBytes, BATCH_OVERHEAD_BYTES, serializedBytes } from './record-size.ts';

const field = fc.option(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)));
const records = fc.array(
  fc.record({
    key: field,
    value: field,
    headers: fc.constant(undefined),
    partition: fc.constant(undefined),
    timestampMs: fc.option(fc.bigInt(0n, 2n ** 63n - 1n), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 200 },
);

/** `DefaultRecord.MAX_RECORD_OVERHEAD` in Kafka. */
const LONGEST_OVERHEAD_BYTES = 21;

test('a batch is as long as its records are expected to be together, or a little shorter', () => {
  const property = fc.property(records, (all) => {
    const alone = all.reduce((sum, record) => sum + serializedBytes(record), 0);
    const expected = BATCH_OVERHEAD_BYTES + addedBytes(alone, all.length);
    const { length } = writeBatch(all, 0n);
    expect(length).toBeLessThanOrEqual(expected);
    expect(length).toBeGreaterThan(expected - LONGEST_OVERHEAD_BYTES * all.length);
  });
  fc.assert(property, { seed: 19, numRuns: 200 });
});

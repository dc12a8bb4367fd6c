import { createRecordsBatch } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { accept, nextOffset, type Partition } from './partition.ts';
import { Partitions } from './partitions.ts';
import { fetchedBuffer } from './record-buffer.ts';

const TOPIC = 't';

/** As a broker stores them from that offset on. */
function batch(firstOffset: number, count: number): Buffer {
  const messages = Array.from({ length: count }, (_, index) => ({
    topic: TOPIC,
    key: null,
    value: Buffer.from(`${firstOffset + index}`),
    timestamp: 1_700_000_000_000n,
  }));
  const { buffer } = createRecordsBatch(messages as never, { compression: 'none' });
  buffer.writeBigInt64BE(BigInt(firstOffset));
  return buffer;
}

function fetched(partition: Partition, ...batches: Buffer[]): void {
  const position = nextOffset(partition) ?? 0n;
  const options = { abortedTransactions: null, isChecking: true };
  accept(partition, fetchedBuffer({ position, batches: Buffer.concat(batches), ...options }));
}

/** At offset 0 of each. */
function partitionsOf(count: number): { partitions: Partitions; all: Partition[] } {
  const partitions = new Partitions(() => false);
  partitions.assign(Array.from({ length: count }, (_, partition) => ({ topic: TOPIC, partition })));
  for (const partition of partitions.all) partition.position = 0n;
  return { partitions, all: partitions.all };
}

/** What an answer takes, as partition/offset; `meanwhile` happens before it is written. */
function answer(partitions: Partitions, maxCount: number, meanwhile: () => void = () => {}): string[] {
  const reader = partitions.read(maxCount);
  const taken: string[] = [];
  while (reader.next()) taken.push(`${reader.partition}/${reader.offset}`);
  meanwhile();
  partitions.advance(reader);
  return taken;
}

// It was left out: an answer that had read a partition to its end took one batch too many away.
test.each([[500], [3], [2]])(
  'records that are fetched while a response is in flight come next, with %d records a response',
  (maxCount) => {
    const { partitions, all } = partitionsOf(2);
    for (const partition of all) fetched(partition, batch(0, 2), batch(2, 1));
    const first = answer(partitions, maxCount, () => {
      for (const partition of all) fetched(partition, batch(3, 2), batch(5, 1));
    });
    const taken = [...first];
    while (taken.length < 12) {
      const more = answer(partitions, maxCount);
      expect(more).not.toEqual([]);
      taken.push(...more);
    }
    expect(taken.toSorted()).toEqual(
      [0, 1].flatMap((partition) => [0, 1, 2, 3, 4, 5].map((at) => `${partition}/${at}`)),
    );
    expect(partitions.positions.map(({ offset }) => offset)).toEqual([6n, 6n]);
  },
);

test('a response that is taken back comes again, and later records are fetched again', () => {
  const { partitions, all } = partitionsOf(1);
  const [partition] = all as [Partition];
  fetched(partition, batch(0, 2));
  const reader = partitions.read(500);
  while (reader.next());
  const checkpoint = partitions.advance(reader);
  fetched(partition, batch(2, 2));
  partitions.takeBack(checkpoint);
  expect(answer(partitions, 500)).toEqual(['0/0', '0/1']);
  expect(nextOffset(partition)).toBe(2n);
});

import { expect, test } from 'vitest';
import { MAX_EPOCH, PartitionSequence } from './sequence.ts';

const PRODUCER_ID = 7n;

function newSequence(): { sequence: PartitionSequence; spent: bigint[] } {
  const spent: bigint[] = [];
  const sequence = new PartitionSequence((id) => spent.push(id));
  sequence.beginWith(PRODUCER_ID);
  return { sequence, spent };
}

test('epochs are the non-negative numbers of 16 bits, as brokers store them', () => {
  expect(MAX_EPOCH).toBe(32_767);
});

test('without an id there are no stamps', () => {
  const sequence = new PartitionSequence(() => {});
  expect(sequence.needsProducerId).toBe(true);
  expect(sequence.stamp()).toBeUndefined();
  expect(sequence.isOpen).toBe(false);
});

test('batches are numbered by their records, and one that goes again keeps its number', () => {
  const { sequence } = newSequence();
  expect(sequence.stamp()).toEqual({ producerId: 7n, epoch: 0, sequence: 0 });
  expect(sequence.isOpen).toBe(true);
  expect(sequence.stamp()).toEqual({ producerId: 7n, epoch: 0, sequence: 0 });
  sequence.advance(3);
  expect(sequence.isOpen).toBe(false);
  expect(sequence.stamp()).toEqual({ producerId: 7n, epoch: 0, sequence: 3 });
});

test('numbers wrap around after the last', () => {
  const { sequence } = newSequence();
  sequence.stamp();
  sequence.advance(2 ** 31 - 1);
  expect(sequence.stamp()?.sequence).toBe(2 ** 31 - 1);
  sequence.advance(2);
  expect(sequence.stamp()?.sequence).toBe(1);
});

test('one that does not go again ends its epoch', () => {
  const { sequence, spent } = newSequence();
  sequence.stamp();
  sequence.advance(1);
  sequence.abandon();
  expect(sequence.stamp()).toEqual({ producerId: 7n, epoch: 0, sequence: 1 });
  sequence.abandon();
  expect(sequence.stamp()).toEqual({ producerId: 7n, epoch: 1, sequence: 0 });
  expect(spent).toEqual([]);
});

test('where the broker knows another history, and after the last epoch, another id is needed, which begins with the first', () => {
  const { sequence, spent } = newSequence();
  for (let epoch = 0; epoch < MAX_EPOCH; epoch += 1) {
    sequence.stamp();
    sequence.abandon();
  }
  expect(sequence.stamp()).toEqual({ producerId: 7n, epoch: MAX_EPOCH, sequence: 0 });
  expect(spent).toEqual([]);
  sequence.abandon();
  expect(spent).toEqual([7n]);
  expect(sequence.needsProducerId).toBe(true);
  sequence.beginWith(8n);
  sequence.stamp();
  sequence.advance(5);
  sequence.stamp();
  sequence.startOver();
  expect(spent).toEqual([7n, 8n]);
  sequence.beginWith(9n);
  expect(sequence.stamp()).toEqual({ producerId: 9n, epoch: 0, sequence: 0 });
});

import { expect, test } from 'vitest';
import { MAX_EPOCH, PartitionSequence } from './sequence.ts';

const PRODUCER_ID = 7n;

function newSequence(): { sequence: PartitionSequence; spent: bigint[] } {
  const spent: bigint[] = [];
  return { sequence: new PartitionSequence((id) => spent.push(id)), spent };
}

test('batches are numbered by their records, and one that goes again keeps its number', () => {
  const { sequence } = newSequence();
  expect(sequence.stamp(PRODUCER_ID)).toEqual({ producerId: 7n, epoch: 0, sequence: 0 });
  expect(sequence.stamp(8n)).toEqual({ producerId: 7n, epoch: 0, sequence: 0 });
  sequence.advance(3);
  expect(sequence.open).toBeUndefined();
  expect(sequence.stamp(PRODUCER_ID)).toEqual({ producerId: 7n, epoch: 0, sequence: 3 });
});

test('numbers begin anew after the last', () => {
  const { sequence } = newSequence();
  sequence.stamp(PRODUCER_ID);
  sequence.advance(2 ** 31 - 1);
  expect(sequence.stamp(PRODUCER_ID).sequence).toBe(2 ** 31 - 1);
  sequence.advance(2);
  expect(sequence.stamp(PRODUCER_ID).sequence).toBe(1);
});

test('one that does not go again ends its epoch, and another id begins with the first', () => {
  const { sequence, spent } = newSequence();
  sequence.stamp(PRODUCER_ID);
  sequence.advance(1);
  sequence.abandon();
  expect(sequence.stamp(PRODUCER_ID)).toEqual({ producerId: 7n, epoch: 0, sequence: 1 });
  sequence.abandon();
  expect(sequence.stamp(PRODUCER_ID)).toEqual({ producerId: 7n, epoch: 1, sequence: 0 });
  sequence.advance(1);
  expect(sequence.stamp(8n)).toEqual({ producerId: 8n, epoch: 0, sequence: 0 });
  expect(spent).toEqual([]);
});

test('a batch that was given up is kept away under its own id, also where there is another one by now', () => {
  const { sequence } = newSequence();
  sequence.stamp(PRODUCER_ID);
  sequence.abandon();
  expect(sequence.stamp(8n)).toEqual({ producerId: 7n, epoch: 1, sequence: 0 });
  sequence.abandon();
  expect(sequence.stamp(8n)).toEqual({ producerId: 7n, epoch: 2, sequence: 0 });
  sequence.advance(1);
  expect(sequence.stamp(8n)).toEqual({ producerId: 8n, epoch: 0, sequence: 0 });
  sequence.abandon();
  expect(sequence.stamp(9n)).toEqual({ producerId: 8n, epoch: 1, sequence: 0 });
  sequence.startOver();
  expect(sequence.stamp(9n)).toEqual({ producerId: 9n, epoch: 0, sequence: 0 });
});

test('after the last epoch another id is needed', () => {
  const { sequence, spent } = newSequence();
  for (let epoch = 0; epoch < MAX_EPOCH; epoch += 1) {
    sequence.stamp(PRODUCER_ID);
    sequence.abandon();
  }
  expect(sequence.stamp(PRODUCER_ID)).toEqual({ producerId: 7n, epoch: MAX_EPOCH, sequence: 0 });
  expect(spent).toEqual([]);
  sequence.abandon();
  expect(spent).toEqual([7n]);
  expect(sequence.stamp(8n)).toEqual({ producerId: 8n, epoch: 0, sequence: 0 });
});

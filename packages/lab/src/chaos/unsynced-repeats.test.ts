import { expect, test } from 'vitest';
import type { Repeat } from './group-books.ts';
import { continuesFrom, excessRepeats, type Knowledge } from './unsynced-repeats.ts';

const GROUP = { group: 'g', topic: 't', partition: 0 };

function sync(upstream: bigint, place: { topic?: string; partition?: number } = {}) {
  return { topic: 't', partition: 0, upstream, downstream: upstream, ...place };
}

function knowledge(committed: bigint, ...syncs: Knowledge['syncs']): Knowledge {
  return { checkpoints: [{ ...GROUP, upstream: committed }], syncs };
}

test.each<[string, Knowledge, number]>([
  ['at its checkpoint, where a sync names that record', knowledge(7n, sync(3n), sync(7n)), 7],
  ['at the last sync before its checkpoint', knowledge(7n, sync(3n), sync(5n), sync(9n)), 5],
  ['at the beginning without a sync before it', knowledge(7n, sync(9n)), 0],
  ['at the beginning without a checkpoint', { checkpoints: [], syncs: [sync(3n)] }, 0],
  ['not at syncs of others', knowledge(7n, sync(5n, { topic: 'u' }), sync(6n, { partition: 1 })), 0],
])('a group continues %s', (_, known, expected) => {
  expect(continuesFrom(known, GROUP)).toBe(expected);
});

test('what a group had received before the loss, and lies before its position, must not come again', () => {
  const repeat = (offset: number, beforeAtMs: number): Repeat => ({
    consumer: 'c',
    before: { record: offset, partition: 0, offset },
    beforeAtMs,
    isLate: true,
  });
  const judged = { group: 'g', topic: 't', knowledge: knowledge(7n, sync(5n)), promotedAtMs: 100 };
  const [allowed, excess, ofNewCluster] = [repeat(5, 90), repeat(4, 90), repeat(4, 110)];
  expect(excessRepeats({ ...judged, repeats: [allowed, excess, ofNewCluster] })).toEqual([excess]);
});

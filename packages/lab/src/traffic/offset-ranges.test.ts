import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OffsetRanges } from './offset-ranges.ts';

test.each<[string, number[], number, number]>([
  ['nothing', [], 0, 0],
  ['in order', [5, 6, 7], 0, 0],
  ['an offset is skipped', [5, 6, 8], 0, 1],
  ['two places are skipped', [0, 10, 20], 0, 18],
  ['a skipped offset comes late', [5, 7, 6], 0, 0],
  ['records come again', [5, 6, 7, 6, 7, 8], 2, 0],
  ['a lower offset than the first', [5, 4, 2], 0, 1],
])('%s', (_, offsets, duplicates, missing) => {
  const ranges = new OffsetRanges();
  expect(offsets.filter((offset) => !ranges.add(offset))).toHaveLength(duplicates);
  expect(ranges.missing).toBe(missing);
});

test('in any order, it counts as a set does', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40)), (offsets) => {
      const ranges = new OffsetRanges();
      const seen = new Set<number>();
      for (const offset of offsets) {
        expect(ranges.add(offset)).toBe(!seen.has(offset));
        seen.add(offset);
      }
      const span = seen.size === 0 ? 0 : Math.max(...seen) - Math.min(...seen) + 1;
      expect(ranges.missing).toBe(span - seen.size);
    }),
    { seed: 17 },
  );
});

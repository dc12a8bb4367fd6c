/** For how long a copy has not had everything, by samples of the source's end. */
import { expect, test } from 'vitest';
import { Coverage } from './coverage.ts';

function coverageOf(samples: readonly [atMs: number, end: number, through: number][]): Coverage {
  const coverage = new Coverage();
  for (const [atMs, end, through] of samples) coverage.note({ atMs, end, through });
  return coverage;
}

test.each<[string, [number, number, number][], nowMs: number, behindMs: number]>([
  ['nothing was sampled', [], 9000, 0],
  ['everything is copied', [[1000, 5, 5]], 9000, 0],
  ['something never was', [[1000, 5, 3]], 9000, 8000],
  [
    'it had everything before',
    [
      [1000, 5, 5],
      [2000, 9, 5],
    ],
    2500,
    1500,
  ],
  [
    'it follows a busy source one sample behind',
    [
      [1000, 10, 5],
      [2000, 20, 12],
      [3000, 30, 23],
    ],
    3000,
    1000,
  ],
  [
    'nothing more is copied',
    [
      [1000, 10, 10],
      [2000, 20, 10],
      [3000, 30, 10],
      [4000, 30, 10],
    ],
    4000,
    3000,
  ],
  [
    'it has caught up',
    [
      [1000, 10, 10],
      [2000, 20, 10],
      [3000, 20, 20],
    ],
    4000,
    0,
  ],
  [
    'the source was recreated',
    [
      [1000, 10, 4],
      [2000, 3, 1],
    ],
    4000,
    2000,
  ],
])('a copy is behind: %s', (_, samples, nowMs, behindMs) => {
  expect(coverageOf(samples).behindMs(nowMs)).toBe(behindMs);
});

test('a copy that never catches up needs no more memory, and its time stays nearly exact', () => {
  const coverage = new Coverage();
  for (let second = 0; second < 10_000; second += 1) {
    coverage.note({ atMs: second * 1000, end: second + 1, through: 0 });
  }
  expect(coverage.behindMs(10_000_000)).toBe(10_000_000);
  coverage.note({ atMs: 10_000_000, end: 10_001, through: 5000 });
  // Samples of before are sparse.
  expect(coverage.behindMs(10_000_000)).toBeGreaterThanOrEqual(5_000_000);
  expect(coverage.behindMs(10_000_000)).toBeLessThan(5_400_000);
});

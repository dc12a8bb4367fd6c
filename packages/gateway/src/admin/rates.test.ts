import { expect, test } from 'vitest';
import { DURATION_BUCKETS_MS } from '../stats.ts';
import { percentile } from './rates.ts';

test.each([
  [[0, 0, 0], 50, null],
  [[1, 0, 0], 99, 1],
  [[50, 50, 0], 50, 1],
  [[50, 50, 0], 51, 2.5],
  [[99, 0, 1], 99, 1],
  [[98, 0, 2], 99, 5],
])('of the buckets %j the %d %% lie below %j ms', (buckets, percent, expected) => {
  expect(percentile(buckets, percent)).toBe(expected);
});

test('beyond the last bound the bound itself is told', () => {
  const buckets = new Array(DURATION_BUCKETS_MS.length).fill(0).concat(7);
  expect(percentile(buckets, 99)).toBe(30_000);
});

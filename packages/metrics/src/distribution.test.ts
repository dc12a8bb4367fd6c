import { expect, test } from 'vitest';
import { percentile } from './distribution.ts';

const bounds = [1, 2.5];

test.each([
  [[0, 0, 0], 50, null],
  [[1, 0, 0], 99, 1],
  [[50, 50, 0], 50, 1],
  [[50, 50, 0], 51, 2.5],
  [[99, 0, 1], 99, 1],
])('of the buckets %j the %d %% lie below %j', (buckets, percent, expected) => {
  expect(percentile({ buckets, bounds }, percent)).toBe(expected);
});

test('beyond the last bound, a percentile is that bound', () => {
  expect(percentile({ buckets: [0, 0, 7], bounds }, 50)).toBe(2.5);
});

import { expect, test } from 'vitest';
import { adoptionsIn } from './adoptions.ts';

const exposition = (...counts: number[]): string =>
  ['0.1', '0.5', '+Inf']
    .map((bound, index) => `causeway_bridge_adoption_duration_seconds_bucket{le="${bound}"} ${counts[index]}`)
    .join('\n');

test.each([
  ['nobody adopted', [exposition(0, 0, 0)], { count: 0, medianMs: undefined }],
  ['one bridge', [exposition(1, 3, 4)], { count: 4, medianMs: 500 }],
  ['two bridges together', [exposition(5, 5, 5), exposition(0, 2, 3)], { count: 8, medianMs: 100 }],
])('the median of the adoptions: %s', (_, expositions, expected) => {
  expect(adoptionsIn(expositions)).toEqual(expected);
});

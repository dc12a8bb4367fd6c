import { expect, test } from 'vitest';
import { adoptionsIn } from './adoptions.ts';

const exposition = (...counts: number[]): string =>
  ['0.1', '0.5', '+Inf']
    .map((bound, index) => `causeway_bridge_adoption_duration_seconds_bucket{le="${bound}"} ${counts[index]}`)
    .join('\n');

test.each([
  ['no adoption', [exposition(0, 0, 0)], { count: 0, medianMs: undefined }],
  ['in the first bucket', [exposition(4, 4, 4)], { count: 4, medianMs: 50 }],
  ['in a later one', [exposition(1, 3, 4)], { count: 4, medianMs: 300 }],
  ['beyond the last bound', [exposition(0, 1, 4)], { count: 4, medianMs: 500 }],
  ['two bridges together', [exposition(5, 5, 5), exposition(0, 2, 3)], { count: 8, medianMs: 80 }],
])('the median of the adoptions: %s', (_, expositions, expected) => {
  expect(adoptionsIn(expositions)).toMatchObject(expected);
});

test('the mean of each stage, over the adoptions of all bridges', () => {
  const stages = (readSeconds: number, joinSeconds: number): string =>
    [
      exposition(1, 1, 1),
      `causeway_bridge_adoption_stage_duration_seconds_sum{stage="read"} ${readSeconds}`,
      `causeway_bridge_adoption_stage_duration_seconds_sum{stage="join"} ${joinSeconds}`,
    ].join('\n');
  expect(adoptionsIn([stages(0.002, 0.03), stages(0.004, 0.05)]).stageMeansMs).toEqual(
    new Map([
      ['read', 3],
      ['join', 40],
    ]),
  );
});

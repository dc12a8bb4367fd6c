import { expect, test } from 'vitest';
import { ReportPace, ReportPaces } from './report-pace.ts';

test('the first is reported at once, those of the next minute together after it', () => {
  const pace = new ReportPace();
  expect([0, 1, 59_999].map((nowMs) => pace.count(nowMs))).toEqual([1, undefined, undefined]);
  expect([60_000, 60_001, 500_000].map((nowMs) => pace.count(nowMs))).toEqual([3, undefined, 2]);
});

test('one kind does not silence another', () => {
  const paces = new ReportPaces<string>();
  expect([paces.count('a', 0), paces.count('a', 1), paces.count('b', 2)]).toEqual([1, undefined, 1]);
});

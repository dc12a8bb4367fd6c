import { expect, test } from 'vitest';
import { age } from './picture.ts';

test.each([
  ['2026-01-01T00:00:00.000Z', '0 s'],
  ['2025-12-31T23:59:18.000Z', '42 s'],
  ['2025-12-31T23:56:55.000Z', '3 min 5 s'],
  ['2025-12-31T21:50:00.000Z', '2 h 10 min'],
  ['2025-12-26T21:00:00.000Z', '5 d 3 h'],
  // Clocks of two machines.
  ['2026-01-01T00:00:05.000Z', '0 s'],
])('since %s it is %s', (since, expected) => {
  expect(age(since, '2026-01-01T00:00:00.000Z')).toBe(expected);
});

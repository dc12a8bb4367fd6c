import { expect, test } from 'vitest';
import { isExpiringSoon } from './certificate-life.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test.each([
  ['90 days, renewed after 60', 90 * DAY_MS, 30 * DAY_MS, false],
  ['90 days, 8 left', 90 * DAY_MS, 8 * DAY_MS, true],
  ['a day, renewed after 16 hours', DAY_MS, 8 * HOUR_MS, false],
  ['a day, 2 hours left', DAY_MS, 2 * HOUR_MS, true],
  ['a day, expired', DAY_MS, -HOUR_MS, true],
])('a certificate of %s', (_, lifeMs, leftMs, expected) => {
  const nowMs = 1_000 * DAY_MS;
  const notAfterMs = nowMs + leftMs;
  expect(isExpiringSoon({ notBeforeMs: notAfterMs - lifeMs, notAfterMs }, nowMs)).toBe(expected);
});

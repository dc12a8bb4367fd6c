import { expect, test } from 'vitest';
import { decideStop } from './stop-requests.ts';

test.each([
  ['the first request stops in order', undefined, 5_000, 'stop'],
  ['its echo through npm is ignored', 5_000, 5_003, 'ignore'],
  ['so is an impatient second within a second', 5_000, 6_000, 'ignore'],
  ['a later one forces', 5_000, 6_001, 'force'],
])('%s', (_, firstAtMs, nowMs, decision) => {
  expect(decideStop(firstAtMs, nowMs)).toBe(decision);
});

import { expect, test } from 'vitest';
import { RefusedCredentials } from './refused-credentials.ts';

test('refused credentials count for 10 s from their last refusal', () => {
  const refused = new RefusedCredentials();
  refused.add('a', 0);
  refused.add('b', 4000);
  refused.add('a', 5000);
  expect([refused.has('a', 14_999), refused.has('b', 13_999)]).toEqual([true, true]);
  expect([refused.has('a', 15_000), refused.has('b', 14_000)]).toEqual([false, false]);
  expect(refused.has('c', 0)).toBe(false);
});

test('the last 10,000 are kept', () => {
  const refused = new RefusedCredentials();
  for (let index = 0; index < 10_001; index += 1) refused.add(String(index), 0);
  expect([refused.has('0', 1), refused.has('1', 1), refused.has('10000', 1)]).toEqual([false, true, true]);
});

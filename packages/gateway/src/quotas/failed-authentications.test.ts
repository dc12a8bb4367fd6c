import { expect, test } from 'vitest';
import { FailedAuthentications } from './failed-authentications.ts';

const LIMIT = { perMinute: 10, burst: 3 };

function failing(address: string, count: number, nowMs = 0): FailedAuthentications {
  const failures = new FailedAuthentications(LIMIT);
  for (let index = 0; index < count; index += 1) failures.failed(address, nowMs);
  return failures;
}

test.each([
  [0, 0],
  [2, 0],
  [3, 6],
  [4, 12],
  // No more than a burst of debt.
  [6, 24],
  [1_000, 24],
])('after %i failures at the same moment, an address waits %i s', (count, seconds) => {
  expect(failing('192.0.2.1', count).blockedSeconds('192.0.2.1', 0)).toBe(seconds);
});

test('it waits no longer than the response says', () => {
  const failures = failing('192.0.2.1', 3);
  expect(failures.blockedSeconds('192.0.2.1', 5_999)).toBe(1);
  expect(failures.blockedSeconds('192.0.2.1', 6_000)).toBe(0);
  failures.failed('192.0.2.1', 6_000);
  expect(failures.blockedSeconds('192.0.2.1', 6_000)).toBe(6);
});

test.each([
  ['192.0.2.1', '192.0.2.2', 0],
  ['2001:db8::1', '2001:db8::2', 6],
  ['2001:db8::1', '2001:db8:0:1::1', 0],
])('failures of %s block %s for %i s', (one, other, seconds) => {
  expect(failing(one, 3).blockedSeconds(other, 0)).toBe(seconds);
});

test('a reload changes the limit, and forgets no failure', () => {
  const failures = failing('192.0.2.1', 3);
  failures.configure({ perMinute: 60, burst: 3 }, 0);
  expect(failures.blockedSeconds('192.0.2.1', 0)).toBe(1);
});

test('a look at an address remembers nothing, and failures of many addresses are bounded', () => {
  const failures = new FailedAuthentications(LIMIT, 100);
  for (let index = 0; index < 1_000; index += 1) {
    const address = `10.0.${index >> 8}.${index & 255}`;
    expect(failures.blockedSeconds(address, 0)).toBe(0);
    failures.failed(address, 0);
    failures.failed(address, 0);
    failures.failed(address, 0);
  }
  expect(failures.count).toBe(100);
});

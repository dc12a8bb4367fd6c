import { expect, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import { type CheckResult, PasswordChecks } from './password-checks.ts';
import type { PasswordHash } from './password-hash.ts';

const RIGHT = Buffer.alloc(32, 1);

/** A hash whose derivation takes until `finish` is called with the next digest; in order. */
function slowHash(): {
  hash: PasswordHash;
  derived: string[];
  finish: (digest?: Buffer<ArrayBuffer>) => Promise<void>;
} {
  const derived: string[] = [];
  const open: ((digest: Buffer) => void)[] = [];
  const derive = (password: string): Promise<Buffer> => {
    derived.push(password);
    return new Promise((resolve) => open.push(resolve));
  };
  const finish = async (digest = RIGHT): Promise<void> => {
    await until('a derivation runs', () => open.length > 0);
    open.shift()?.(digest);
  };
  return { hash: { text: '', derive, digest: RIGHT }, derived, finish };
}

const limits = { maxRunning: 1, maxWaiting: 4, maxWaitingPerAddress: 3 };

test('addresses take turns, and neither one address nor all of them can make the others wait without end', async () => {
  const checks = new PasswordChecks({ now: () => 0, limits });
  const { hash, derived, finish } = slowHash();
  const results: Promise<CheckResult>[] = [];
  const check = (address: string, password: string): void => {
    results.push(checks.check({ hashes: [hash], password, address }));
  };
  // One client of IPv6 has a whole network of addresses.
  for (const number of [1, 2, 3, 4, 5]) check(`2001:db8::${number}`, `a${number}`);
  check('192.0.2.1', 'b1');
  check('192.0.2.2', 'c1');
  expect(checks.pendingCount).toBe(5);
  for (let count = 0; count < 5; count += 1) await finish();
  expect(await Promise.all(results)).toEqual(['right', 'right', 'right', 'right', 'full', 'right', 'full']);
  expect(derived).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
  expect(checks.counts).toEqual({ right: 5, wrong: 0, full: 2, failed: 0 });
  expect(checks.pendingCount).toBe(0);
  expect(checks.durations.count).toBe(5);
});

test('any of several hashes is enough', async () => {
  const checks = new PasswordChecks({ now: () => 0, limits });
  const { hash, derived, finish } = slowHash();
  const right = checks.check({ hashes: [hash, hash, hash], password: 'x', address: 'a' });
  await finish(Buffer.alloc(32));
  await finish();
  expect(await right).toBe('right');
  const wrong = checks.check({ hashes: [hash, hash], password: 'x', address: 'a' });
  await finish(Buffer.alloc(32));
  await finish(Buffer.alloc(32));
  expect(await wrong).toBe('wrong');
  expect(derived).toHaveLength(4);
});

test('a derivation that fails ends its check alone', async () => {
  const checks = new PasswordChecks({ now: () => 0, limits });
  const broken: PasswordHash = { text: '', derive: () => Promise.reject(new Error('no memory')), digest: RIGHT };
  const { hash, finish } = slowHash();
  const [first, second] = [broken, hash].map((one) => checks.check({ hashes: [one], password: 'x', address: 'a' }));
  expect(await first).toBe('failed');
  await finish();
  expect(await second).toBe('right');
});

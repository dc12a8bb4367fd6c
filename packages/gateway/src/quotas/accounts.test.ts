import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Accounts, type Remembered } from './accounts.ts';

function remembered(key: string, more: { inFlightCount?: number; forgettableAtMs?: number } = {}): Remembered {
  const { inFlightCount = 0, forgettableAtMs = Number.POSITIVE_INFINITY } = more;
  return { key, wasUsed: false, inFlightCount, isForgettable: (nowMs) => nowMs >= forgettableAtMs };
}

test('a million accounts, each with something to remember, cost the same each', () => {
  const accounts = new Accounts(100_000);
  for (let index = 0; index < 1_000_000; index += 1) accounts.add(remembered(String(index)), 0);
  expect(accounts.count).toBe(100_000);
  expect(accounts.find('999999')).toBeDefined();
  expect(accounts.find('0')).toBeUndefined();
});

test('those that are used stay, and so do those with requests in flight', () => {
  const accounts = new Accounts(1_000);
  accounts.add(remembered('used'), 0);
  accounts.add(remembered('waiting', { inFlightCount: 1 }), 0);
  accounts.add(remembered('idle'), 0);
  for (let index = 0; index < 20_000; index += 1) {
    accounts.add(remembered(String(index)), 0);
    accounts.find('used');
  }
  expect([accounts.find('used')?.key, accounts.find('waiting')?.key, accounts.find('idle')]).toEqual([
    'used',
    'waiting',
    undefined,
  ]);
});

test('beyond the limit also those with requests in flight go', () => {
  const accounts = new Accounts(100);
  for (let index = 0; index < 1_000; index += 1) accounts.add(remembered(String(index), { inFlightCount: 1 }), 0);
  expect(accounts.count).toBe(100);
});

test('whatever comes in whatever order: below the limit none is lost that has something to remember', () => {
  const steps = fc.array(fc.record({ key: fc.integer({ min: 0, max: 50 }), lifeMs: fc.integer({ min: 0, max: 30 }) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (happened) => {
      const accounts = new Accounts(1_000);
      const expected = new Map<string, number>();
      happened.forEach(({ key, lifeMs }, nowMs) => {
        for (const [name, forgettableAtMs] of expected) {
          if (forgettableAtMs > nowMs) expect(accounts.find(name)?.key).toBe(name);
        }
        const name = String(key);
        if (accounts.find(name) !== undefined) return;
        accounts.add(remembered(name, { forgettableAtMs: nowMs + lifeMs }), nowMs);
        expected.set(name, nowMs + lifeMs);
      });
    }),
    { seed: 16 },
  );
});

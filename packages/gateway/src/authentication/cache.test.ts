import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TextCache } from './cache.ts';

test('it never has more entries or characters than its limits, and never another value than the last one of a key', () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 });
  const step = fc.record({ kind: fc.constantFrom('set', 'get', 'delete'), key, value: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = new TextCache<number>({ maxEntries: 10, maxChars: 30 });
      const values = new Map<string, number>();
      const keys = new Set(steps.map((one) => one.key));
      for (const one of steps) {
        if (one.kind === 'set') {
          cache.set(one.key, one.value);
          values.set(one.key, one.value);
        } else if (one.kind === 'delete') {
          cache.delete(one.key);
          values.delete(one.key);
        }
        expect([undefined, values.get(one.key)]).toContain(cache.get(one.key));
        expect(cache.size).toBeLessThanOrEqual(10);
      }
      const kept = [...keys].filter((text) => cache.get(text) !== undefined);
      expect(kept.join('').length).toBeLessThanOrEqual(30);
    }),
  );
});

test('what is used stays, however many others come', () => {
  const cache = new TextCache<string>({ maxEntries: 100, maxChars: 10_000 });
  cache.set('used', 'value');
  for (let index = 0; index < 1_000; index += 1) {
    cache.set(`other ${index}`, '');
    expect(cache.get('used')).toBe('value');
  }
  expect(cache.get('other 0')).toBeUndefined();
});

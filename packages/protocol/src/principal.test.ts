import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPrincipal, parsePrincipal } from './principal.ts';

test('every name survives the header, which has visible ASCII only', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }), (name) => {
      const text = formatPrincipal(name);
      expect(text).toMatch(/^[!-+\--~]+$/);
      expect(parsePrincipal(text)).toBe(name.toWellFormed());
    }),
  );
});

test('common names stay readable', () => {
  for (const name of ['alice', 'team-a/worker', 'spiffe://example/ns/a', 'CN=device-7', 'a@example.org']) {
    expect(formatPrincipal(name)).toBe(name);
  }
});

test('a header that no gateway sends names no principal', () => {
  expect([undefined, '', '%', '%zz', '%ff'].map(parsePrincipal)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

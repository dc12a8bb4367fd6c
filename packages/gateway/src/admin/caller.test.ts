import { expect, test } from 'vitest';
import { TokenTable } from './caller.ts';

const table = new TokenTable([
  { name: 'alice', role: 'operator', token: 'token-of-alice-0' },
  { name: 'bob', role: 'viewer', token: 'token-of-bob-000' },
  { name: 'carol', role: 'viewer', token: 'token-of-carol-0' },
]);

test.each([
  ['token-of-alice-0', { name: 'alice', role: 'operator' }],
  ['token-of-bob-000', { name: 'bob', role: 'viewer' }],
  ['token-of-carol-0', { name: 'carol', role: 'viewer' }],
  ['token-of-bob-00', undefined],
  ['token-of-bob-0000', undefined],
  ['TOKEN-OF-BOB-000', undefined],
  ['', undefined],
])('the owner of %j is %j', (token, owner) => {
  expect(table.ownerOf(token)).toEqual(owner);
});

test('a table without tokens knows no owner', () => {
  expect(new TokenTable([]).isEmpty).toBe(true);
  expect(table.isEmpty).toBe(false);
  expect(new TokenTable([]).ownerOf('')).toBeUndefined();
});

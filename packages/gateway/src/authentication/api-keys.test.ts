import { expect, test } from 'vitest';
import { ApiKeys, digestOfKey } from './api-keys.ts';
import type { Credentials, CredentialsFile } from './credentials-file.ts';
import type { CredentialedRequest } from './method.ts';

const KEY = 'causeway_0123456789';
const alice: Credentials = { name: 'alice', roles: ['writer'], passwords: [], text: 'alice' };

function requestOf(headers: Record<string, string | string[]>): CredentialedRequest {
  return { message: { headers } } as unknown as CredentialedRequest;
}

function keysOf(entries: [string, Credentials][]): { keys: ApiKeys; set: (entries: [string, Credentials][]) => void } {
  const fileOf = (list: [string, Credentials][]): CredentialsFile => ({
    byName: new Map(),
    byKeyHash: new Map(list.map(([key, credentials]) => [digestOfKey(key), credentials])),
    names: new Set(),
    warning: undefined,
  });
  let file = fileOf(entries);
  const set = (list: [string, Credentials][]): void => {
    file = fileOf(list);
  };
  return { keys: new ApiKeys({ file: () => file, header: 'x-api-key' }), set };
}

test('a key names its principal until the file has it no longer', () => {
  const { keys, set } = keysOf([[KEY, alice]]);
  const request = requestOf({ 'x-api-key': KEY });
  const expected = { kind: 'authenticated', principal: { name: 'alice', roles: ['writer'], method: 'apiKey' } };
  expect(keys.authenticate(request)).toEqual(expected);
  // The same object, for what is kept for a principal.
  expect(keys.recall(request)).toBe(keys.authenticate(request));
  set([
    ['causeway_new', alice],
    [KEY, alice],
  ]);
  for (const key of ['causeway_new', KEY]) expect(keys.recall(requestOf({ 'x-api-key': key }))).toEqual(expected);
  set([['causeway_new', alice]]);
  expect(keys.recall(request)).toBeUndefined();
  expect(keys.authenticate(request).kind).toBe('failed');
});

test.each([
  ['an empty one', ''],
  ['another one', `${KEY}0`],
  ['another case', KEY.toUpperCase()],
  ['two in one header', `${KEY}, ${KEY}`],
  ['a blank', ` ${KEY}`],
  ['its digest', digestOfKey(KEY)],
  ['10 KB', KEY.repeat(500)],
  ['__proto__', '__proto__'],
])('%s fails, and no other method is asked', (_, key) => {
  const { keys } = keysOf([[KEY, alice]]);
  const request = requestOf({ 'x-api-key': key });
  expect(keys.applies(request)).toBe(true);
  expect(keys.authenticate(request)).toEqual({ kind: 'failed', message: 'The API key is unknown.' });
});

test('it does not apply to a request without the header', () => {
  expect(keysOf([]).keys.applies(requestOf({ authorization: 'x' }))).toBe(false);
});

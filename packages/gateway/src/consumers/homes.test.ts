import { expect, test } from 'vitest';
import { nameInCreateRequest } from './homes.ts';

test.each([
  ['{"name":"c1","format":"json"}', 'c1'],
  ['{"name":5}', undefined],
  ['{}', undefined],
  ['null', undefined],
  ['not json', undefined],
  ['', undefined],
])('the name in %j is %j', (body, expected) => {
  expect(nameInCreateRequest(Buffer.from(body))).toBe(expected);
});

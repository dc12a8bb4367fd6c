import { expect, test } from 'vitest';
import { hashText } from './hash-text.ts';

test.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
])('the hash of %j is that of the reference implementation (FNV-1a)', (text, hash) => {
  expect(hashText(text)).toBe(hash);
});

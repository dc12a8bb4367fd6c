import { expect, test } from 'vitest';
import { LONGEST_POLL_TIMEOUT_MS, pollTimeoutMs, readLiteral, withQueryParameter } from './parameters.ts';

test.each([
  ['true', true],
  ['false', false],
  ['null', null],
  ['True', 'True'],
  ['', ''],
  ['-0.5e2', -50],
  ['+5', 5],
  ['05', '05'],
  ['.5', '.5'],
  ['5.', '5.'],
  ['5 ', '5 '],
  ['1e', '1e'],
  ['"5"', '"5"'],
])('%j is read as %j', (text, expected) => {
  expect(readLiteral(text)).toBe(expected);
});

test.each([
  ['/x', 100],
  ['/x?', 100],
  ['/x?timeout=3000', 3000],
  ['/x?timeout=0', 0],
  ['/x?TIMEOUT=3000&timeout=1', 3000],
  ['/x?%74imeout=3000', 3000],
  ['/x?timeout=1e3', 1000],
  ['/x?timeout=5.0', 5],
  ['/x?timeout=%2B5', 5],
  [`/x?timeout=${LONGEST_POLL_TIMEOUT_MS}`, LONGEST_POLL_TIMEOUT_MS],
  // The bridge refuses these at once.
  [`/x?timeout=${LONGEST_POLL_TIMEOUT_MS + 1}`, 100],
  ['/x?timeout=99999999999999999999', 100],
  ['/x?timeout=1e400', 100],
  ['/x?timeout=0x10', 100],
  ['/x?timeout=', 100],
  ['/x?timeout=+5', 100],
  ['/x?timeout=1.5', 100],
  ['/x?timeout=abc&timeout=5', 100],
  ['/x?timeout=-1', 100],
])('%s waits %d ms', (target, expected) => {
  expect(pollTimeoutMs(target)).toBe(expected);
});

test.each([
  ['/x', '/x'],
  // This is a path, not a query.
  ['timeout=1', 'timeout=1'],
  ['?timeout=1', '?timeout=7'],
  ['/x?a=1', '/x?a=1'],
  ['/x?timeout=1', '/x?timeout=7'],
  ['/x?a=1&TIMEOUT=1&timeout=2&b', '/x?a=1&timeout=7&timeout=2&b'],
  ['/x?a=timeout=1&%74imeout=2', '/x?a=timeout=1&timeout=7'],
  ['/x?timeout', '/x?timeout=7'],
])('%s with another timeout is %s', (target, expected) => {
  expect(withQueryParameter(target, 'timeout', '7')).toBe(expected);
});

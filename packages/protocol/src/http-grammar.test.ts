import { expect, test } from 'vitest';
import { isPlainlyFramed, portOf, TOKEN } from './http-grammar.ts';

test.each([
  ['get', true],
  ["!#$%&'*+-.^_`|~09azAZ", true],
  ['', false],
  ['a b', false],
  ['a/b', false],
  ['a\n', false],
  ['(a)', false],
  ['ü', false],
])('%j is a token: %j', (text, expected) => {
  expect(TOKEN.test(text)).toBe(expected);
});

test.each([
  [undefined, true],
  ['chunked', true],
  ['Chunked', true],
  ['gzip, chunked', false],
  ['identity', false],
  ['', false],
])('the transfer coding %j frames plainly: %j', (coding, expected) => {
  expect(isPlainlyFramed(coding === undefined ? {} : { 'transfer-encoding': coding })).toBe(expected);
});

test.each([
  ['http://h', 80],
  ['https://h', 443],
  ['http://h:8080', 8080],
  ['https://h:80', 80],
])('the port of %s is %d', (url, port) => {
  expect(portOf(new URL(url))).toBe(port);
});

import { describe, expect, test } from 'vitest';
import { framingOf, isPersistent, keepAliveHintMs } from './framing.ts';
import type { ResponseHeaders } from './response-head.ts';

const head = (headers: ResponseHeaders, status = 200, minorVersion = 1) => ({ status, headers, minorVersion });

describe('where the body ends', () => {
  test.each<[string, ResponseHeaders, number, string, object]>([
    ['a length', { 'content-length': '5' }, 200, 'GET', { kind: 'length', bytes: 5 }],
    ['chunks', { 'transfer-encoding': 'Chunked' }, 200, 'GET', { kind: 'chunked' }],
    ['neither: with the connection', {}, 200, 'GET', { kind: 'untilClose' }],
    ['HEAD has none', { 'content-length': '5' }, 200, 'HEAD', { kind: 'length', bytes: 0 }],
    ['HEAD in chunks has none', { 'transfer-encoding': 'chunked' }, 200, 'HEAD', { kind: 'length', bytes: 0 }],
    ['204 has none', {}, 204, 'DELETE', { kind: 'length', bytes: 0 }],
    ['304 has none', { 'content-length': '5' }, 304, 'GET', { kind: 'length', bytes: 0 }],
  ])('%s', (_, headers, status, method, expected) => {
    expect(framingOf(head(headers, status), method)).toEqual(expected);
  });

  test.each<[string, ResponseHeaders]>([
    ['a length and chunks', { 'content-length': '5', 'transfer-encoding': 'chunked' }],
    ['two lengths', { 'content-length': ['5', '6'] }],
    ['the same length twice', { 'content-length': ['5', '5'] }],
    ['the same length in a list', { 'content-length': '5, 5' }],
    ['two lengths in a list', { 'content-length': '5,6' }],
    ['an empty length', { 'content-length': '' }],
    ['a length with a sign', { 'content-length': '+5' }],
    ['a hexadecimal length', { 'content-length': '0x5' }],
    ['a length that no double holds', { 'content-length': '9007199254740993' }],
    ['a coding that is not known', { 'transfer-encoding': 'gzip' }],
    ['chunks within another coding', { 'transfer-encoding': 'gzip, chunked' }],
    ['chunks twice', { 'transfer-encoding': ['chunked', 'chunked'] }],
  ])('%s is rejected', (_, headers) => {
    expect(() => framingOf(head(headers), 'GET')).toThrow(expect.objectContaining({ code: 'BAD_RESPONSE' }));
  });
});

test.each<[number, ResponseHeaders, number, boolean]>([
  [204, {}, 1, true],
  [204, { 'content-length': '0' }, 1, true],
  [204, { 'content-length': '5' }, 1, false],
  [204, { 'content-length': '0005' }, 1, false],
  [204, { 'transfer-encoding': 'chunked' }, 1, false],
  [304, { 'content-length': '5' }, 1, false],
  [304, { 'transfer-encoding': 'chunked' }, 1, false],
  [200, { 'content-length': '5' }, 1, true],
  [200, { 'transfer-encoding': 'chunked' }, 1, true],
  [200, { 'transfer-encoding': 'chunked', connection: 'keep-alive' }, 0, false],
])('a response %i with %j of HTTP/1.%i: another request may follow: %j', (status, headers, minorVersion, expected) => {
  expect(isPersistent(head(headers, status, minorVersion))).toBe(expected);
});

test.each<[string | string[] | undefined, number, boolean]>([
  [undefined, 1, true],
  [undefined, 0, false],
  ['keep-alive', 0, true],
  ['Keep-Alive', 0, true],
  ['close', 1, false],
  ['Close', 1, false],
  ['x-a, close', 1, false],
  [['x-a', 'close'], 1, false],
  ['keep-alive, close', 1, false],
  ['x-closed', 1, true],
  ['x-own', 0, false],
])('connection %j of HTTP/1.%i: another request may follow: %j', (connection, minorVersion, expected) => {
  expect(isPersistent(head({ connection }, 200, minorVersion))).toBe(expected);
});

test.each<[string | string[] | undefined, number | undefined]>([
  [undefined, undefined],
  ['timeout=5', 5_000],
  ['max=100, timeout = "72"', 72_000],
  ['Timeout=0', 0],
  ['max=100', undefined],
  ['xtimeout=5', undefined],
  ['timeout=x', undefined],
  [['timeout=5', 'timeout=6'], undefined],
])('keep-alive %j: %j ms', (hint, expected) => {
  expect(keepAliveHintMs({ 'keep-alive': hint })).toBe(expected);
});

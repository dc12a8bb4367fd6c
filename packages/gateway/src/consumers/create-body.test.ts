import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { nameInCreateRequest } from './create-body.ts';

test.each([
  ['{"name":"c1","format":"json"}', 'c1'],
  ['{"name":5}', undefined],
  ['{}', undefined],
  ['null', undefined],
  ['not json', undefined],
  ['', undefined],
])('the name in %j is %j', (body, expected) => {
  expect(nameInCreateRequest({ bytes: Buffer.from(body), coding: undefined })).toBe(expected);
});

const BODY = Buffer.from('{"name":"c1"}');

test.each([
  ['gzip', gzipSync(BODY), 'c1'],
  [' X-GZIP', gzipSync(BODY), 'c1'],
  ['deflate', deflateSync(BODY), 'c1'],
  ['br', brotliCompressSync(BODY), 'c1'],
  ['zstd', zstdCompressSync(BODY), 'c1'],
  ['identity', BODY, 'c1'],
  ['br', gzipSync(BODY), undefined],
  ['sdch', BODY, undefined],
  ['gzip', gzipSync(Buffer.concat([BODY, Buffer.alloc(10_000_000, ' ')])), undefined],
])(
  'the name in a body with the content coding %j is found, unless the bridge refuses it or it is long',
  (coding, bytes, expected) => {
    expect(nameInCreateRequest({ bytes, coding })).toBe(expected);
  },
);

test.each([
  ['many members', `{"name":"c1",${Array.from({ length: 50_000 }, (_, index) => `"k${index}":1`).join(',')}}`],
  ['nesting', '['.repeat(500_000)],
  ['a long name', JSON.stringify({ name: 'c'.repeat(100_000) })],
])('a body that is too long is not read for its name: %s', (_, text) => {
  expect(nameInCreateRequest({ bytes: Buffer.from(text), coding: undefined })).toBeUndefined();
});

import { expect, test } from 'vitest';
import { wantedCoding } from './content-codings.ts';

test.each([
  [undefined, undefined, false],
  ['', undefined, false],
  ['identity', undefined, false],
  ['gzip', 'gzip', false],
  ['x-gzip', 'gzip', false],
  ['GZIP', 'gzip', false],
  ['deflate', 'deflate', false],
  ['br', 'br', false],
  ['zstd', 'zstd', false],
  ['compress, sdch', undefined, false],
  ['gzip, deflate', 'gzip', false],
  ['gzip, deflate, br, zstd', 'zstd', false],
  ['gzip;q=0.5, br;q=0.7', 'br', false],
  ['gzip; q=0.5 , br ; Q=0.4', 'gzip', false],
  ['gzip;q=1.0, zstd;q=0.001', 'gzip', false],
  ['gzip;q=0', undefined, false],
  ['gzip;q=0, deflate', 'deflate', false],
  ['*', 'gzip', false],
  ['*;q=0.1', 'gzip', false],
  ['gzip;q=0, *', 'zstd', false],
  ['br;q=0.2, *;q=0.5', 'gzip', false],
  ['*;q=0', undefined, false],
  ['identity;q=1, gzip;q=0.5', undefined, false],
  ['identity;q=0.5, gzip;q=0.5', 'gzip', false],
  ['identity;q=0.5, *;q=0.2', undefined, false],
  ['identity;q=0, gzip', 'gzip', true],
  ['gzip, *;q=0', 'gzip', true],
  ['identity, *;q=0', undefined, false],
  ['identity;q=0, *;q=0', undefined, false],
  ['identity;q=0', undefined, false],
  ['gzip;q=x', 'gzip', false],
  [',,gzip,', 'gzip', false],
  // Of one that is named twice the first one counts.
  ['gzip;q=0, gzip', undefined, false],
  ['x-gzip;q=0, gzip', undefined, false],
])('Accept-Encoding %j asks for %j; nothing else will do: %j', (header, coding, isIdentityRefused) => {
  expect(wantedCoding(header)).toEqual({ coding, isIdentityRefused });
});

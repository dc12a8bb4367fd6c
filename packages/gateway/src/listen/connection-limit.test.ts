import { expect, test } from 'vitest';
import { defaultMaxConnections, openFileLimit } from './connection-limit.ts';

test.each([
  ['half of the files', 1024, 1, 512],
  ['shared by the listeners', 1024, 4, 128],
  ['bounded', 1_048_576, 1, 50_000],
  ['without a known limit', undefined, 2, 50_000],
  ['never nothing', 2, 8, 1],
])('clients may have %s', (_, openFiles, listenerCount, expected) => {
  expect(defaultMaxConnections(openFiles, listenerCount)).toBe(expected);
});

test('the limit of open files is read from the system, or unknown', () => {
  expect(openFileLimit('/no/such/file')).toBeUndefined();
  expect(openFileLimit(import.meta.filename)).toBeUndefined();
  if (process.platform === 'linux') expect(openFileLimit()).toBeGreaterThan(10);
});

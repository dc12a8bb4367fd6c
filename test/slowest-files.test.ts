import { expect, test } from 'vitest';
import { type FileDuration, slowestFiles } from './harness/slowest-files.ts';

const file = (index: number): FileDuration => ({
  file: `${index}.test.ts`,
  project: 'unit',
  durationMs: index * 1_000,
  processorMs: (100 - index) * 100,
});

test('the slowest twenty files are listed, the slowest first, and the twenty with most processor time', () => {
  const lines = slowestFiles(Array.from({ length: 100 }, (_, index) => file(index)));
  expect(lines).toHaveLength(42);
  expect(lines[0]).toBe('The slowest 20 of 100 test files (all together 4950.0 s):');
  expect(lines[1]).toBe('    99.0 s  99.test.ts (unit)');
  expect(lines[20]).toBe('    80.0 s  80.test.ts (unit)');
  expect(lines[21]).toBe('The 20 that took most processor time (all together 505.0 s):');
  expect(lines[22]).toBe('    10.0 s  0.test.ts (unit)');
  expect(lines[41]).toBe('     8.1 s  19.test.ts (unit)');
});

test('a run of a few files lists none', () => {
  expect(slowestFiles([file(1), file(2)])).toEqual([]);
});

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../test/harness/until.ts';
import { type FileWatch, watchFiles } from './watch.ts';

let directory: string;
let watch: FileWatch | undefined;
let changeCount: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-watch-'));
  changeCount = 0;
});
afterEach(() => {
  watch?.close();
  rmSync(directory, { recursive: true });
});

function start(file: string): void {
  watch = watchFiles([file], () => (changeCount += 1), 10);
}

test('a file written in place is noticed once', async () => {
  const file = join(directory, 'a.yaml');
  writeFileSync(file, 'one');
  start(file);
  writeFileSync(file, 'two');
  await until('the change is seen', () => changeCount === 1);
});

test('a file that is replaced is noticed', async () => {
  const file = join(directory, 'a.yaml');
  writeFileSync(file, 'one');
  start(file);
  writeFileSync(join(directory, 'new'), 'two');
  renameSync(join(directory, 'new'), file);
  await until('the change is seen', () => changeCount === 1);
});

test('a ConfigMap that Kubernetes swaps through its ..data symlink is noticed', async () => {
  mkdirSync(join(directory, '..1'));
  mkdirSync(join(directory, '..2'));
  writeFileSync(join(directory, '..1', 'a.yaml'), 'one');
  writeFileSync(join(directory, '..2', 'a.yaml'), 'two');
  symlinkSync('..1', join(directory, '..data'));
  symlinkSync(join('..data', 'a.yaml'), join(directory, 'a.yaml'));
  start(join(directory, 'a.yaml'));
  symlinkSync('..2', join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  await until('the change is seen', () => changeCount === 1);
});

test('a file that is missing for a moment has not changed', async () => {
  const file = join(directory, 'a.yaml');
  writeFileSync(file, 'one');
  start(file);
  unlinkSync(file);
  writeFileSync(file, 'one');
  writeFileSync(file, 'two');
  await until('the change is seen', () => changeCount > 0);
  expect(changeCount).toBe(1);
});

test('a missing file is reported once, and so is its return with the same content', async () => {
  const file = join(directory, 'a.yaml');
  writeFileSync(file, 'one');
  start(file);
  unlinkSync(file);
  await until('it is missed', () => changeCount === 1);
  // Longer than it took to be reported.
  await delay(400);
  expect(changeCount).toBe(1);
  writeFileSync(file, 'one');
  await until('it is back', () => changeCount === 2);
});

test('a symlink that points to itself for a moment does not end the watch', async () => {
  const file = join(directory, 'a.yaml');
  writeFileSync(join(directory, 'one'), 'one');
  symlinkSync('one', file);
  start(file);
  unlinkSync(file);
  symlinkSync('a.yaml', file);
  unlinkSync(file);
  writeFileSync(file, 'two');
  await until('the change is seen', () => changeCount === 1);
});

test('files that belong together are reported once, when the last of them is complete', async () => {
  const files = ['cert', 'key'].map((name) => join(directory, name));
  for (const file of files) writeFileSync(file, 'one');
  watch = watchFiles(files, () => (changeCount += 1), 10);
  for (const file of files) {
    writeFileSync(`${file}.new`, 'two');
    renameSync(`${file}.new`, file);
  }
  await until('the change is seen', () => changeCount > 0);
  expect(changeCount).toBe(1);
});

import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigVolumes } from './config-volumes.ts';

test('a changed ConfigMap is another directory behind the same paths', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-volumes-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const volumes = new ConfigVolumes(directory);
  const write = (text: string): void =>
    volumes.write({ kind: 'ConfigMap', metadata: { name: 'a' }, data: { 'gateway.yaml': text } });
  const file = join(volumes.pathOf('a'), 'gateway.yaml');

  write('first');
  expect(readFileSync(file, 'utf8')).toBe('first');
  const before = readlinkSync(join(volumes.pathOf('a'), '..data'));

  write('second');
  expect(readFileSync(file, 'utf8')).toBe('second');
  expect(readdirSync(volumes.pathOf('a'))).not.toContain(before);
});

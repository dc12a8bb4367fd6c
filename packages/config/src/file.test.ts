import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readRegularFile } from './file.ts';
import { loadConfig } from './load.ts';
import { Entry } from './schema.ts';
import { readSecret } from './secret.ts';
import { watchFiles } from './watch.ts';

/** A file of each kind that could block a reader, or never end. */
async function fileOf(kind: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-file-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'file');
  switch (kind) {
    case 'a FIFO':
      execFileSync('mkfifo', [file]);
      break;
    case 'a link to a FIFO':
      execFileSync('mkfifo', [`${file}.fifo`]);
      symlinkSync(`${file}.fifo`, file);
      break;
    case 'a directory':
      mkdirSync(file);
      break;
    case 'an endless device':
      symlinkSync('/dev/zero', file);
      break;
    case 'a socket': {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(file, resolve));
      onTestFinished(() => void server.close());
      break;
    }
    case 'a huge file':
      writeFileSync(file, '');
      truncateSync(file, 8_589_934_592);
      break;
    default:
      throw new TypeError(kind);
  }
  return file;
}

describe.each([
  ['a FIFO', 'it is not a regular file'],
  ['a link to a FIFO', 'it is not a regular file'],
  ['a directory', 'it is a directory'],
  ['an endless device', 'it is not a regular file'],
  ['a socket', 'it is not a regular file'],
  ['a huge file', 'it is larger than 4194304 bytes'],
])('%s', (kind, reason) => {
  test('is refused at once as a secret, as a configuration and as any other file', async () => {
    const file = await fileOf(kind);
    const message = `${file} cannot be read: ${reason}`;
    expect(() => readRegularFile(file)).toThrow(message);
    expect(() => readSecret({ value: undefined, file })).toThrow(message);
    expect(() => loadConfig(file, { schema: Entry({}, { description: '' }), env: {} })).toThrow(message);
  });

  test('can be watched', async () => {
    watchFiles([await fileOf(kind)], () => {}, 10).close();
  });
});

test('a regular file is read, and so is an empty one and one behind a link', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-file-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'file');
  symlinkSync(`${file}.real`, file);
  for (const content of ['', 'content\n']) {
    writeFileSync(`${file}.real`, content);
    expect(readRegularFile(file).toString()).toBe(content);
  }
  expect(() => readRegularFile(`${file}.missing`)).toThrow('there is no such file');
});

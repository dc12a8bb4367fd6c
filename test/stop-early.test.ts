/** Signals that reach a program of `bin/causeway` before it listens for them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A program that has written its first output. */
async function begin(code: string) {
  const args = ['--import', `${ROOT}bin/stop-early.js`, '--input-type=module', '--eval', code];
  const child = spawn(process.execPath, args, { stdio: 'pipe' });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const closed = once(child, 'close');
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  await once(child.stdout, 'data');
  return { child, closed, output: () => output };
}

test('a program ends in order while its modules load', async () => {
  const { child, closed } = await begin(
    "process.stdout.write('begun '); await new Promise((end) => setTimeout(end, 1e6));",
  );
  child.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
});

test('a signal that arrives while the program is busy loading reaches it, and the next one has its usual effect', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-stop-early-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const loaded = join(directory, 'loaded');
  const { child, closed, output } = await begin(`
    import { existsSync, writeSync } from 'node:fs';
    writeSync(1, 'begun ');
    const cell = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(${JSON.stringify(loaded)})) Atomics.wait(cell, 0, 0, 5);
    process.once('SIGTERM', () => writeSync(1, 'stopping '));
    setInterval(() => {}, 1e6);
  `);
  child.kill('SIGTERM');
  writeFileSync(loaded, '');
  if (!output().includes('stopping')) await once(child.stdout, 'data');
  expect(output()).toBe('begun stopping ');
  child.kill('SIGTERM');
  expect(await closed).toEqual([null, 'SIGTERM']);
});

test('causeway starts every program with it', () => {
  const last = readFileSync(`${ROOT}bin/causeway`, 'utf8').trimEnd().split('\n').at(-1);
  expect(last).toBe('exec "$node" ${options:-} --import "$root/bin/stop-early.js" "$root/packages/$program" "$@"');
});

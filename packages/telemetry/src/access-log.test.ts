import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { until } from '../../../test/harness/until.ts';
import { AccessLog } from './access-log.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-access-log-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function openLog(file: string, maxQueuedBytes = 1_048_576): Promise<{ log: AccessLog; troubles: unknown[] }> {
  const troubles: unknown[] = [];
  const log = await AccessLog.open({ file, maxQueuedBytes, onTrouble: (reason) => troubles.push(reason) });
  onTestFinished(() => log.close());
  return { log, troubles };
}

function linesOf(file: string): unknown[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
}

test('lines reach the file after a moment, the last ones when the log closes', async () => {
  const file = join(directory, 'new/folder/access.log');
  const { log } = await openLog(file);
  log.write({ number: 1, text: 'a "quoted"\nline' });
  await until('the line is there', () => linesOf(file).length === 1);
  log.write({ number: 2 });
  await log.close();
  expect(linesOf(file)).toEqual([{ number: 1, text: 'a "quoted"\nline' }, { number: 2 }]);
  log.write({ number: 3 });
});

test('an existing file is continued', async () => {
  const file = join(directory, 'continued.log');
  for (const number of [1, 2]) {
    const { log } = await openLog(file);
    log.write({ number });
    await log.close();
  }
  expect(linesOf(file)).toEqual([{ number: 1 }, { number: 2 }]);
});

test('after a rotation lines go to a new file, and none is lost', async () => {
  const file = join(directory, 'rotated.log');
  const { log } = await openLog(file);
  for (let number = 0; number < 3_000; number += 1) log.write({ number });
  renameSync(file, `${file}.1`);
  log.reopen();
  await until('there is a new file', () => existsSync(file));
  for (let number = 3_000; number < 6_000; number += 1) log.write({ number });
  await log.close();
  const lines = [...linesOf(`${file}.1`), ...linesOf(file)] as { number: number }[];
  expect(linesOf(file).length).toBeGreaterThan(0);
  expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: 6_000 }, (_, number) => number));
});

test('a reader that stalls costs lines, which are counted, and no time', async () => {
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reader = spawn('sleep', ['600'], { stdio: [openSync(fifo, 'r+'), 'ignore', 'ignore'] });
  onTestFinished(() => void reader.kill('SIGKILL'));
  const { log } = await openLog(fifo, 65_536);
  const startMs = performance.now();
  for (let number = 0; number < 10_000; number += 1) log.write({ number, text: 'x'.repeat(100) });
  expect(performance.now() - startMs).toBeLessThan(20_000);
  expect(log.droppedCount).toBeGreaterThan(8_000);
  reader.kill('SIGKILL');
  await once(reader, 'exit');
});

test('a full disk is reported once, and closing does not wait for it', async () => {
  const { log, troubles } = await openLog('/dev/full', 65_536);
  for (let number = 0; number < 3_000; number += 1) log.write({ number, text: 'x'.repeat(100) });
  await until('the failure is reported', () => troubles.length > 0);
  expect(log.droppedCount).toBeGreaterThan(0);
  expect(troubles).toEqual([expect.stringMatching(/^ENOSPC/)]);
  const startMs = performance.now();
  await log.close();
  // Closing waits one second for the disk.
  expect(performance.now() - startMs).toBeLessThan(10_000);
});

test('a file that cannot be opened is an error at the start', async () => {
  const file = join(directory, 'is-a-folder');
  mkdirSync(file);
  await expect(openLog(file)).rejects.toThrow(/EISDIR/);
  // No stream remains that could fail later.
  await delay(400);
});

test('without a file, lines go to standard output, each in one piece', async () => {
  const script = `
    import { AccessLog } from '${new URL('./access-log.ts', import.meta.url).href}';
    const log = await AccessLog.open({ maxQueuedBytes: 10_000_000, onTrouble: () => {} });
    for (let number = 0; number < 2_000; number += 1) {
      log.write({ number, text: 'x'.repeat(50) });
      if (number % 10 === 0) process.stdout.write('{"other":true}\\n');
    }
    await log.close();`;
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { number?: number });
  expect(lines.filter(({ number }) => number !== undefined)).toHaveLength(2_000);
  expect(lines.filter(({ number }) => number === undefined)).toHaveLength(200);
});

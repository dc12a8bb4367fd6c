import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isAlive, LabProcess, type ProcessEvent, type ProcessSpec, Reaper } from './process.ts';

let directory: string;
const reaper = new Reaper();
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-process-'));
});
afterAll(async () => {
  await reaper.close();
  rmSync(directory, { recursive: true, force: true });
});

let count = 0;
/** A process of this Node that runs `script`. */
function start(script: string, more: Partial<ProcessSpec> = {}): Promise<LabProcess> {
  count += 1;
  return LabProcess.start({
    name: `child ${count}`,
    command: process.execPath,
    args: ['--input-type=module', '--eval', script],
    logFile: join(directory, `${count}.log`),
    reaper,
    ...more,
  });
}

/** Waits for a text in the log of a child. */
async function untilLogged(child: LabProcess, text: string): Promise<void> {
  await child.waitUntilReady(async () => readFileSync(child.logFile, 'utf8').includes(text), { timeoutMs: 60_000 });
}

const STAYS = 'setInterval(() => {}, 1000);';

describe('a process', () => {
  test('reports its life: started, ready, exited with its signal and the reason', async () => {
    const events: ProcessEvent[] = [];
    const child = await start(STAYS, { name: 'east bridge', onEvent: (event) => events.push(event) });
    await child.waitUntilReady(async () => true, { timeoutMs: 60_000 });
    await child.kill();
    const { pid, logFile } = child;
    expect(events).toEqual([
      { type: 'started', name: 'east bridge', pid, isRestart: false },
      { type: 'ready', name: 'east bridge', pid, isRestart: false, afterMs: expect.any(Number) },
      { type: 'exited', name: 'east bridge', pid, reason: 'killed', logFile, exitCode: null, signal: 'SIGKILL' },
    ]);
  });

  test('that exits without a request is reported as unexpected', async () => {
    const events: ProcessEvent[] = [];
    const child = await start('process.exit(3)', { onEvent: (event) => events.push(event) });
    expect(await child.exited).toEqual({ exitCode: 3, signal: null });
    expect(events.at(-1)).toMatchObject({ type: 'exited', reason: 'unexpected', exitCode: 3 });
  });

  test('that ends before it is ready fails the start with the end of its log', async () => {
    const child = await start('console.error("the port is taken"); process.exit(7)');
    await expect(child.waitUntilReady(async () => false, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'startFailed',
      message: expect.stringMatching(/exited before it was ready \(exit code 7\)[\s\S]*the port is taken/),
    });
  });

  test('that does not become ready fails the start after the time it has', async () => {
    const child = await start(STAYS);
    await expect(child.waitUntilReady(async () => false, { timeoutMs: 60 })).rejects.toMatchObject({
      code: 'startTimedOut',
    });
    await child.kill();
  });

  test('whose command does not exist fails the start', async () => {
    await expect(start('', { name: 'Kafka', command: '/nowhere/java' })).rejects.toMatchObject({
      code: 'startFailed',
      message: 'Kafka: cannot run /nowhere/java',
    });
  });

  test('that handles SIGTERM stops in order, also when it was frozen', async () => {
    const child = await start(`process.on("SIGTERM", () => process.exit(0)); console.log("up"); ${STAYS}`);
    await untilLogged(child, 'up');
    child.signal('SIGSTOP');
    await child.stop();
    expect(await child.exited).toEqual({ exitCode: 0, signal: null });
  });

  test('that ignores SIGTERM is killed after the grace', async () => {
    const child = await start(`process.on("SIGTERM", () => {}); console.log("up"); ${STAYS}`);
    await untilLogged(child, 'up');
    await child.stop(50);
    expect(await child.exited).toEqual({ exitCode: null, signal: 'SIGKILL' });
  });

  test('that runs to its end is killed when its signal is aborted', async () => {
    const child = await start(STAYS);
    const abort = new AbortController();
    const running = child.runToEnd(abort.signal);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(child.isRunning).toBe(false);
  });

  test('with its own kill command runs it', async () => {
    const marker = join(directory, 'container-killed');
    const child = await start(STAYS, { killCommand: ['touch', marker] });
    await child.kill();
    expect(existsSync(marker)).toBe(true);
  });
});

describe('the reaper', () => {
  test('kills the children of its parent, and their children, when the parent is killed', async () => {
    const module = fileURLToPath(new URL('./process.ts', import.meta.url));
    const script = join(directory, 'parent.ts');
    const marker = join(directory, 'ran-at-end');
    writeFileSync(
      script,
      `import { LabProcess, Reaper } from ${JSON.stringify(module)};
const reaper = new Reaper();
reaper.atEnd(['touch', ${JSON.stringify(marker)}]);
const child = await LabProcess.start({
  name: 'child', command: 'sh', args: ['-c', 'sleep 1000 & echo $!; wait'],
  logFile: ${JSON.stringify(join(directory, 'orphan.log'))}, reaper,
});
console.log(child.pid);
setInterval(() => {}, 1000);
`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const childPid = Number(line);
    const grandchildPid = await vi.waitUntil(
      () => Number(readFileSync(join(directory, 'orphan.log'), 'utf8').trim()) || undefined,
      { timeout: 30_000 },
    );
    expect([childPid, grandchildPid].map(isAlive)).toEqual([true, true]);
    parent.kill('SIGKILL');
    await vi.waitUntil(() => !isAlive(childPid) && !isAlive(grandchildPid), { timeout: 30_000 });
    await vi.waitUntil(() => existsSync(marker), { timeout: 30_000 });
  });

  test('closing it ends it and every process that is still registered', async () => {
    const own = new Reaper();
    const child = await start(STAYS, { reaper: own });
    await own.close();
    expect((await child.exited).signal).toBe('SIGKILL');
    await own.close();
  });
});

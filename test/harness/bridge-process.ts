/** A bridge in its own process, started as operators start it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

const MAIN = fileURLToPath(new URL('../../packages/bridge/src/main.ts', import.meta.url));

/** A bridge process and its output. */
export class BridgeProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  /** Runs in `directory`, which has its files. */
  constructor(directory: string, args: string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd: directory,
      env: { ...process.env, INIT_CWD: directory, ...env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    onTestFinished(() => {
      this.child.kill('SIGKILL');
    });
  }

  async exitCode(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }

  /** The lines of the log, parsed. */
  get log(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Its URL, once it listens. */
  async url(): Promise<string> {
    const isStarted = (): boolean => this.log.some(({ msg }) => msg === 'bridge started');
    // A process starts slowly on a busy machine.
    await until('it is started', isStarted, { timeoutMs: 60_000 });
    return `http://127.0.0.1:${String(this.log.find(({ msg }) => msg === 'bridge started')?.['port'])}`;
  }
}

/** A gateway or a bridge as a real process, with its log and its vitals. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { until } from '../harness/until.ts';
import type { Vitals } from './vitals.ts';

const VITALS = fileURLToPath(new URL('vitals.ts', import.meta.url));

type Kind = 'gateway' | 'bridge';
type LogLine = Record<string, unknown>;

export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  #output = '';

  /** `config` becomes the program's YAML file, in `directory`. */
  constructor(kind: Kind, name: string, { directory, config }: { directory: string; config: object }) {
    this.name = name;
    const file = join(directory, `${name}.yaml`);
    writeFileSync(file, stringify(config));
    const main = fileURLToPath(new URL(`../../packages/${kind}/src/main.ts`, import.meta.url));
    const execArgv = ['--expose-gc', '--import', VITALS];
    this.#child = fork(main, ['--config', file], { execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
  }

  /** The lines of its log. */
  get log(): LogLine[] {
    return this.#output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []));
  }

  /** Output that reports a fault of the program itself: an exception, or the log's own line for a bug. */
  get faults(): string[] {
    const own = this.log
      .filter(({ level, msg }) => msg === 'fault' || Number(level) >= 50)
      .map((line) => JSON.stringify(line));
    const stray = this.#output.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    return [...own, ...stray, ...(this.isRunning ? [] : [`${this.name} has ended`])];
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The first line of the log with this message, once it is there. */
  async line(message: string): Promise<LogLine> {
    const find = (): LogLine | undefined => this.log.find(({ msg }) => msg === message);
    await until(
      `${this.name} logs "${message}"`,
      () => {
        if (!this.isRunning) throw new Error(this.#output);
        return find() !== undefined;
      },
      { timeoutMs: 90_000 },
    );
    return find() as LogLine;
  }

  async vitals(): Promise<Vitals> {
    this.#child.send('vitals');
    const [vitals] = (await once(this.#child, 'message')) as [Vitals];
    return vitals;
  }

  async close(): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

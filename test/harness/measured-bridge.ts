/** A bridge in its own process that reports how long a request held its event loop, independent of other load. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('measured-bridge-process.ts', import.meta.url));

export class MeasuredBridge {
  readonly #child: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** `overrides` are sections of the configuration. */
  static async start(bootstrap: string, overrides: Record<string, object> = {}): Promise<MeasuredBridge> {
    const file = {
      bridge: { name: 'measured', region: 'east' },
      listen: { port: 0 },
      kafka: { bootstrapServers: bootstrap.split(',') },
      log: { level: 'silent' },
      ...overrides,
    };
    const child = fork(MAIN, [JSON.stringify(file)], { stdio: 'inherit' });
    const ended = new AbortController();
    child.once('exit', () => ended.abort(new Error('the bridge exited before it had started')));
    const [url] = (await once(child, 'message', { signal: ended.signal })) as [string];
    return new MeasuredBridge(child, url);
  }

  /** Processor time of the longest turn of its event loop since the last call, in milliseconds. */
  async longestTurnMs(): Promise<number> {
    return await this.#ask('turn');
  }

  /** Processor time of a fixed piece of work in that process now, in milliseconds. */
  async calibrationMs(): Promise<number> {
    return await this.#ask('calibration');
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async #ask(question: 'turn' | 'calibration'): Promise<number> {
    this.#child.send(question);
    const [answer] = (await once(this.#child, 'message')) as [number];
    return answer;
  }
}

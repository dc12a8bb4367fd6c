/** One program of the system with its name and addresses; it can be killed and started again as a new process. */
import { type Dispatcher, request } from 'undici';
import { LabError } from '../errors.ts';
import { LabProcess, type ProcessEvent, type Reaper } from './process.ts';

/** Generous: a cold start on a busy two-core machine took 3 s, and more than 30 s beside 30 processes that computed. */
const START_TIMEOUT_MS = 60_000;
/** Time limit of one readiness request. */
const READY_REQUEST_TIMEOUT_MS = 1_000;

export interface ServiceSpec {
  /** `tier-1 gateway`, `east bridge`. */
  name: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** The address of its API. */
  url: string;
  /** Responds 200 once the program can serve. */
  readyUrl: string;
  /** Asks for it. */
  agent: Dispatcher;
  logFile: string;
  reaper: Reaper;
  onEvent: (event: ProcessEvent) => void;
}

export class Service {
  readonly name: string;
  readonly url: string;
  readonly #spec: ServiceSpec;
  readonly #closed = new AbortController();
  #process: LabProcess | undefined;
  #starting: Promise<void> | undefined;

  constructor(spec: ServiceSpec) {
    this.name = spec.name;
    this.url = spec.url;
    this.#spec = spec;
  }

  /** The process that runs now or ran last. Errors: `startFailed` before the first start. */
  get process(): LabProcess {
    if (this.#process === undefined) throw new LabError('startFailed', `The ${this.name} was never started.`);
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** The id of the running process. */
  get pid(): number | undefined {
    return this.isRunning ? this.#process?.pid : undefined;
  }

  /** Starts it if it does not run, and waits until it is ready. Errors: see `LabProcess.waitUntilReady`. */
  start(signal?: AbortSignal | undefined): Promise<void> {
    this.#starting ??= this.#start(signal).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGTERM, then SIGKILL after `graceMs` (default 5,000); `start` works again afterwards. */
  async stop(graceMs?: number): Promise<void> {
    await this.#process?.stop(graceMs);
  }

  /** SIGSTOP: the kernel accepts connections, the process does nothing, until `thaw`. */
  freeze(): void {
    this.#process?.signal('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    this.#process?.signal('SIGCONT');
  }

  /** Stops it finally, also during a start. */
  async close(): Promise<void> {
    this.#closed.abort(new LabError('stopped', `The ${this.name} was closed.`));
    await this.#starting?.catch(() => {});
    await this.stop();
  }

  async #start(outerSignal: AbortSignal | undefined): Promise<void> {
    const signal =
      outerSignal === undefined ? this.#closed.signal : AbortSignal.any([outerSignal, this.#closed.signal]);
    signal.throwIfAborted();
    if (this.isRunning) return;
    const { command, args, env, logFile, reaper, onEvent, readyUrl, agent } = this.#spec;
    const isRestart = this.#process !== undefined;
    const child = await LabProcess.start({
      name: this.name,
      command,
      args,
      env,
      logFile,
      reaper,
      onEvent,
      isRestart,
    });
    this.#process = child;
    try {
      await child.waitUntilReady(() => answersOk(readyUrl, agent), { timeoutMs: START_TIMEOUT_MS, signal });
    } catch (error) {
      // A failed start leaves no process.
      await child.kill();
      throw error;
    }
  }
}

async function answersOk(url: string, dispatcher: Dispatcher): Promise<boolean> {
  try {
    const { statusCode, body } = await request(url, {
      dispatcher,
      headersTimeout: READY_REQUEST_TIMEOUT_MS,
      bodyTimeout: READY_REQUEST_TIMEOUT_MS,
      reset: true,
    });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}

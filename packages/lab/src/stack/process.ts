/** Child processes of the lab: started, logged to a file, registered with the reaper, and always ended. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';

/** Default time between SIGTERM and SIGKILL. */
const DEFAULT_GRACE_MS = 5_000;
/** How often a starting child is asked whether it is ready. */
const READY_POLL_MS = 25;
/** Lines of its log that the error for a failed start shows. */
const LOG_TAIL_LINES = 20;

/** Kills every registered process once this process has exited; one per lab. */
export class Reaper {
  readonly #child: ChildProcess;
  #isClosed = false;

  constructor() {
    // Its own session: the terminal's signals do not reach it.
    this.#child = spawn(process.execPath, [fileURLToPath(new URL('./reaper.ts', import.meta.url))], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#child.unref();
    this.#child.on('error', () => {});
    this.#child.stdin?.on('error', () => {});
    (this.#child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Registers a process that leads its own process group. */
  watch(pid: number): void {
    this.#send(`watch ${pid}`);
  }

  forget(pid: number): void {
    this.#send(`forget ${pid}`);
  }

  /** Runs a command when the lab has exited, for a container, which a signal cannot end. */
  atEnd(argv: readonly string[]): void {
    this.#send(`at-end ${JSON.stringify(argv)}`);
  }

  /** Ends the reaper, which kills every process that is still registered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.ref();
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }

  #send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }
}

/** Why a process ended: the lab killed it, the lab stopped it in order, or neither. */
export type EndReason = 'killed' | 'stopped' | 'unexpected';

/** Events in the life of a process. */
export type ProcessEvent =
  | { type: 'started'; name: string; pid: number; isRestart: boolean }
  | { type: 'ready'; name: string; pid: number; isRestart: boolean; afterMs: number }
  | ({ type: 'exited'; name: string; pid: number; reason: EndReason; logFile: string } & ProcessExit);

export interface ProcessSpec {
  /** Its name for people: `east bridge`. */
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>> | undefined;
  cwd?: string;
  /** Receives standard output and error, appended. */
  logFile: string;
  reaper: Reaper;
  /** Runs on `kill`, for a container, which SIGKILL of the process would leave running. */
  killCommand?: readonly string[] | undefined;
  /** For events only. Default: false. */
  isRestart?: boolean;
  onEvent?: ((event: ProcessEvent) => void) | undefined;
}

export interface ProcessExit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

/** `SIGKILL` or `exit code 1`. */
export function describeExit({ exitCode, signal }: ProcessExit): string {
  return signal ?? `exit code ${exitCode}`;
}

/** One child process. `exited` settles exactly once, however it ends. */
export class LabProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  readonly #spec: ProcessSpec;
  readonly #child: ChildProcess;
  readonly #startedAtMs = performance.now();
  #endReason: EndReason = 'unexpected';
  #exit: ProcessExit | undefined;

  private constructor(spec: ProcessSpec, child: ChildProcess, pid: number) {
    this.name = spec.name;
    this.logFile = spec.logFile;
    this.pid = pid;
    this.#spec = spec;
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => {
        this.#exit = { exitCode, signal };
        spec.reaper.forget(pid);
        resolve(this.#exit);
        spec.onEvent?.({
          type: 'exited',
          name: spec.name,
          pid,
          reason: this.#endReason,
          logFile: spec.logFile,
          exitCode,
          signal,
        });
      });
    });
  }

  /** Spawns the process. Errors: `startFailed` when the command cannot be run, `stopped` when nothing would end the process. */
  static async start(spec: ProcessSpec): Promise<LabProcess> {
    if (spec.reaper.isClosed) throw new LabError('stopped', `${spec.name}: the lab has ended.`);
    mkdirSync(dirname(spec.logFile), { recursive: true });
    const log = openSync(spec.logFile, 'a');
    try {
      const child = spawn(spec.command, spec.args, {
        cwd: spec.cwd,
        env: { ...process.env, ...spec.env },
        stdio: ['ignore', log, log],
        // Its own process group: Ctrl-C in the terminal reaches only the lab, which stops everything in order.
        detached: true,
      });
      const { pid } = child;
      // Before the first await: from here on the process must not outlive the lab.
      if (pid !== undefined) spec.reaper.watch(pid);
      await once(child, 'spawn');
      if (pid === undefined) throw new Error('no process id');
      const started = new LabProcess(spec, child, pid);
      spec.onEvent?.({ type: 'started', name: spec.name, pid, isRestart: spec.isRestart ?? false });
      return started;
    } catch (cause) {
      throw new LabError('startFailed', `${spec.name}: cannot run ${spec.command}`, { cause });
    } finally {
      closeSync(log);
    }
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  /**
   * Waits until `isReady` returns true.
   * Errors: `startFailed` when the process ends before, `startTimedOut` after `timeoutMs`; both show the end of its log.
   */
  async waitUntilReady(
    isReady: () => Promise<boolean>,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (true) {
      signal?.throwIfAborted();
      if (this.#exit !== undefined) {
        const how = describeExit(this.#exit);
        throw new LabError('startFailed', `${this.name} exited before it was ready (${how}).\n${this.logTail()}`);
      }
      if ((await isReady()) && this.isRunning) break;
      if (performance.now() > deadlineMs) {
        throw new LabError('startTimedOut', `${this.name} was not ready within ${timeoutMs} ms.\n${this.logTail()}`);
      }
      await Promise.race([delay(READY_POLL_MS), this.exited]);
    }
    const afterMs = performance.now() - this.#startedAtMs;
    const isRestart = this.#spec.isRestart ?? false;
    this.#spec.onEvent?.({ type: 'ready', name: this.name, pid: this.pid, isRestart, afterMs });
  }

  /** Waits until the process exits; `signal` kills it. */
  async runToEnd(signal?: AbortSignal | undefined): Promise<ProcessExit> {
    const onAbort = (): void => void this.kill();
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const exit = await this.exited;
    signal?.removeEventListener('abort', onAbort);
    signal?.throwIfAborted();
    return exit;
  }

  /** SIGKILL, and the exit awaited. */
  async kill(): Promise<void> {
    this.#claimEnd('killed');
    this.#killNow();
    await this.exited;
  }

  /** SIGTERM, then SIGKILL after `graceMs` (default 5,000). */
  async stop(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    if (!this.isRunning) return;
    this.#claimEnd('stopped');
    // A stopped process (SIGSTOP) would never handle the SIGTERM.
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timeout = new AbortController();
    const killer = delay(graceMs, undefined, { signal: timeout.signal }).then(
      () => this.#killNow(),
      () => {},
    );
    await this.exited;
    timeout.abort();
    await killer;
  }

  logTail(): string {
    try {
      return `${this.logFile}:\n${readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')}`;
    } catch {
      return this.logFile;
    }
  }

  #claimEnd(reason: EndReason): void {
    if (this.isRunning && this.#endReason === 'unexpected') this.#endReason = reason;
  }

  #killNow(): void {
    if (!this.isRunning) return;
    const [command, ...args] = this.#spec.killCommand ?? [];
    if (command !== undefined) spawnSync(command, args, { stdio: 'ignore' });
    this.signal('SIGKILL');
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: a process of another user, but alive.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

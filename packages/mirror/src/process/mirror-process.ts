/** MirrorMaker as a process of its own: a command that copies in the direction of its arguments, started, stopped and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import type { Prepare, Replicator } from '../replicator.ts';

/**
 * Until a process that does not end by SIGTERM is killed. Short where its source is not active any more: one that hangs, since it cannot reach that, would copy
 * what is left as soon as it can, behind newer records.
 */
const GRACE_MS = 2_000;
const CLOSING_GRACE_MS = 15_000;
/** Reads from a pipe that this program never writes to: its end is that of the program, also by SIGKILL. */
const GUARD = 'read -r _; kill -s KILL -- "-$0"';
const RESTART_MIN_MS = 1_000;
const RESTART_MAX_MS = 60_000;

/** What happened, once each. */
export type ProcessEvent =
  | { type: 'started'; source: string; pid: number }
  | { type: 'stopped'; source: string }
  /** By itself: the next start is `pauseMs` later. */
  | { type: 'ended'; source: string; how: string; pauseMs: number };

export interface MirrorProcessOptions {
  /** The program and its arguments; `{source}` and `{target}` in these stand for the names of clusters. */
  command: readonly [string, ...string[]];
  /** The cluster that is filled. */
  target: string;
  prepare: Prepare;
  onEvent: (event: ProcessEvent) => void;
  /** In milliseconds, of a clock that never goes back. */
  now: () => number;
}

interface Running {
  child: ChildProcess;
  /** Kills the group of the child when this program has died without it: a MirrorMaker that no program stops would copy against the next direction. */
  guard: ChildProcess;
  source: string;
  startedAtMs: number;
  /** Settles when it has ended. */
  ended: Promise<void>;
  isStopping: boolean;
}

export class MirrorProcess implements Replicator {
  readonly #options: MirrorProcessOptions;
  #running: Running | undefined;
  #pauseMs = 0;
  #startsAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MirrorProcessOptions) {
    this.#options = options;
  }

  async run(source: string): Promise<boolean> {
    if (this.#running !== undefined && this.#running.source !== source) await this.stop();
    if (this.#running !== undefined) return true;
    const { prepare, now } = this.#options;
    if (now() < this.#startsAtMs) return false;
    // Each time: it writes nothing that MirrorMaker has passed.
    await prepare(source);
    await this.#start(source);
    return true;
  }

  async stop(graceMs = GRACE_MS): Promise<boolean> {
    const running = this.#running;
    this.#startsAtMs = Number.NEGATIVE_INFINITY;
    if (running === undefined) return true;
    running.isStopping = true;
    signal(running.child, 'SIGTERM');
    const timer = setTimeout(() => signal(running.child, 'SIGKILL'), graceMs);
    await running.ended;
    clearTimeout(timer);
    return true;
  }

  async close(): Promise<void> {
    await this.stop(CLOSING_GRACE_MS);
  }

  /** At once. */
  kill(): void {
    if (this.#running !== undefined) signal(this.#running.child, 'SIGKILL');
  }

  async #start(source: string): Promise<void> {
    const { command, target, onEvent, now } = this.#options;
    const [program, ...args] = command.map((part) =>
      part.replaceAll('{source}', source).replaceAll('{target}', target),
    );
    // A group of its own: a script may start Java as its child.
    const child = spawn(program as string, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    try {
      await once(child, 'spawn');
    } catch (error) {
      this.#delayStart(0);
      throw new Error(`${program} cannot be started: ${error instanceof Error ? error.message : String(error)}`);
    }
    const ended = once(child, 'exit').then(([code, by]: (number | string | null)[]) => {
      this.#onEnd(running, by === null ? `exit code ${code}` : `signal ${by}`);
    });
    const guard = startGuard(child);
    const running: Running = { child, guard, source, startedAtMs: now(), ended, isStopping: false };
    this.#running = running;
    onEvent({ type: 'started', source, pid: child.pid ?? 0 });
  }

  #onEnd(running: Running, how: string): void {
    const { onEvent, now } = this.#options;
    const { source, isStopping, startedAtMs } = running;
    this.#running = undefined;
    // What it has started must not outlive it.
    signal(running.child, 'SIGKILL');
    // By now, another process may get its number.
    running.guard.kill('SIGKILL');
    if (isStopping) {
      this.#pauseMs = 0;
      onEvent({ type: 'stopped', source });
    } else {
      onEvent({ type: 'ended', source, how, pauseMs: this.#delayStart(now() - startedAtMs) });
    }
  }

  /** Returns the pause. It grows while the process ends soon after its start. */
  #delayStart(lastedMs: number): number {
    const { now } = this.#options;
    const isSteady = lastedMs >= RESTART_MAX_MS;
    this.#pauseMs = isSteady ? RESTART_MIN_MS : Math.min(RESTART_MAX_MS, Math.max(RESTART_MIN_MS, 2 * this.#pauseMs));
    this.#startsAtMs = now() + this.#pauseMs;
    return this.#pauseMs;
  }
}

function startGuard({ pid = 0 }: ChildProcess): ChildProcess {
  // Not in the group of this program: a terminal's Ctrl-C is for that, which stops MirrorMaker in good order.
  const guard = spawn('sh', ['-c', GUARD, String(pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // A machine without a shell has no guard.
  guard.on('error', () => {});
  guard.unref();
  return guard;
}

/** To the whole group of the process, if any of it is left. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It has ended.
  }
}

/** Measures how long something took, for bounds that tell a wait from a longer one: on a machine whose processors others use, both are longer. */
import { performance } from 'node:perf_hooks';

const TICK_MS = 20;

/** Runs until it is read by {@link Stopwatch.stop}, and then holds no timer. */
export class Stopwatch {
  readonly #startedAtMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #lastMs = this.#startedAtMs;
  #stalledMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Milliseconds since the start in which this process had its turn: without those by which its timers were late. */
  stop(): number {
    this.#tick();
    clearInterval(this.#timer);
    return performance.now() - this.#startedAtMs - this.#stalledMs;
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#stalledMs += Math.max(0, nowMs - this.#lastMs - TICK_MS);
    this.#lastMs = nowMs;
  }
}

/** Measures how long this process stalled, for tests of the program that must not depend on the machine. */

const TICK_MS = 5;

interface Stall {
  fromMs: number;
  toMs: number;
}

export class StallMeter {
  readonly #stalls: Stall[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastMs = Date.now();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** How long the event loop was late for a due timer, within a time span in milliseconds since 1970. */
  stalledMs(fromMs: number, toMs: number): number {
    return this.#stalls.reduce(
      (sum, stall) => sum + Math.max(0, Math.min(toMs, stall.toMs) - Math.max(fromMs, stall.fromMs)),
      0,
    );
  }

  #tick(): void {
    const nowMs = Date.now();
    const dueMs = this.#lastMs + TICK_MS;
    if (nowMs > dueMs) this.#stalls.push({ fromMs: dueMs, toMs: nowMs });
    this.#lastMs = nowMs;
  }
}

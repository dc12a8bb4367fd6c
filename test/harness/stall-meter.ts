/** How long this process stood still, for tests whose claim is about the program and not about the machine that it runs on. */

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

  /** Of this time, in milliseconds since 1970, how much the event loop was not there for a timer that was due. */
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

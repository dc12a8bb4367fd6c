/** Measures how slow the machine is during a test, to scale bounds in milliseconds. */

const INTERVAL_MS = 250;
/** A few milliseconds of work: enough to be interrupted by other processes, and no load itself. */
const STEP_COUNT = 2_000_000;
/** Time of the steps on the idle machine on which the bounds were chosen. */
const NOMINAL_MS = 2;
/** The first rounds are slow until the code is compiled. */
const WARM_UP_ROUNDS = 3;

export class MachinePace {
  readonly #timer: NodeJS.Timeout;
  #worstRatio = 1;
  #leastRatio = Number.POSITIVE_INFINITY;
  #dueAtMs = performance.now() + INTERVAL_MS;

  /** Measures from now on, until `close`. */
  constructor() {
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) work();
    this.#measure(0);
    this.#timer = setInterval(() => {
      const lateMs = Math.max(0, performance.now() - this.#dueAtMs);
      this.#measure(lateMs);
      this.#dueAtMs = performance.now() + INTERVAL_MS;
    }, INTERVAL_MS);
  }

  /** The worst slowdown so far, compared with a quiet machine; at least 1. */
  get slowness(): number {
    return this.#worstRatio;
  }

  /** The slowdown in processor time alone, without interruptions; at least 1. */
  get processorSlowness(): number {
    return Math.max(1, this.#leastRatio);
  }

  /** `fixedMs` of waiting, which does not depend on the machine, and `workMs` of work, which does. */
  boundMs(fixedMs: number, workMs: number): number {
    return fixedMs + workMs * this.slowness;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #measure(lateMs: number): void {
    const startedAtMs = performance.now();
    work();
    const tookMs = performance.now() - startedAtMs;
    this.#leastRatio = Math.min(this.#leastRatio, tookMs / NOMINAL_MS);
    this.#worstRatio = Math.max(this.#worstRatio, (tookMs + lateMs) / NOMINAL_MS);
  }
}

/** A linear congruential generator (Numerical Recipes); returned so that it is not optimized away. */
function work(): number {
  let state = 1;
  for (let step = 0; step < STEP_COUNT; step += 1) state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state;
}

/** How slow the machine is while something is measured, so that a bound in milliseconds moves with it. */

const INTERVAL_MS = 250;
/** Of a few milliseconds: enough to be interrupted where other processes want the processor, and no burden. */
const STEP_COUNT = 2_000_000;
/** What the steps take on the machine on which the bounds were chosen, when it does nothing else. */
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

  /** How many times longer than on a quiet machine work took at the worst moment so far; at least 1. */
  get slowness(): number {
    return this.#worstRatio;
  }

  /** How many times longer than there the same work takes of the processor alone, when nothing interrupts it; at least 1. */
  get processorSlowness(): number {
    return Math.max(1, this.#leastRatio);
  }

  /** `fixedMs` of waiting, which no machine makes longer, and `workMs` of work, which a slow one does. */
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

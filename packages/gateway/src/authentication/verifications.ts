/** Bounds how many signatures are verified at a time, so that a flood of new tokens leaves room for requests. */

/** Node verifies on four threads. */
const MAX_RUNNING = 8;
/** Some 0.3 s of work. */
const MAX_WAITING = 1_000;

export class Verifications {
  #runningCount = 0;
  readonly #waiting: (() => void)[] = [];

  /** Runs `verify` in its turn; `undefined`: too many wait. */
  run<Result>(verify: () => Promise<Result>): Promise<Result> | undefined {
    if (this.#runningCount < MAX_RUNNING) return this.#start(verify);
    if (this.#waiting.length >= MAX_WAITING) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise.then(() => this.#start(verify));
  }

  async #start<Result>(verify: () => Promise<Result>): Promise<Result> {
    this.#runningCount += 1;
    try {
      return await verify();
    } finally {
      this.#runningCount -= 1;
      this.#waiting.shift()?.();
    }
  }
}

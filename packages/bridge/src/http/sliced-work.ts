/** Runs long work in slices between turns of the event loop, so that no request delays the others. */

interface Job {
  work: Generator<void, unknown>;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
}

/** Runs one slice in each turn of the event loop; jobs alternate. */
export class SlicedWork {
  readonly #jobs: Job[] = [];
  #isScheduled = false;

  /** Returns the result of the work: without a promise when the first slice completes it. `yield` ends a slice. */
  run<T>(work: Generator<void, T>): T | Promise<T> {
    const { done, value } = work.next();
    if (done === true) return value;
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push({ work, resolve: resolve as Job['resolve'], reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#jobs.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#runSlice();
      this.#schedule();
    });
  }

  #runSlice(): void {
    const job = this.#jobs.shift();
    if (job === undefined) return;
    try {
      const { done, value } = job.work.next();
      if (done === true) job.resolve(value);
      else this.#jobs.push(job);
    } catch (error) {
      job.reject(error);
    }
  }
}

/** Runs all slices at once. */
export function runAtOnce<T>(work: Generator<void, T>): T {
  while (true) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

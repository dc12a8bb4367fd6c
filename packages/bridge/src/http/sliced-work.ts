/** Does long work in slices between turns of the event loop, so that no request holds up the others. */

interface Job {
  work: Generator<void, unknown>;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
}

/** One slice of one job a turn, however many there are; jobs take turns. */
export class SlicedWork {
  readonly #jobs: Job[] = [];
  #isScheduled = false;

  /** What the work returns: at once when its first slice is all of it. `yield` ends a slice. Errors: what it throws. */
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

/** Does all of the work at once. */
export function runAtOnce<T>(work: Generator<void, T>): T {
  while (true) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

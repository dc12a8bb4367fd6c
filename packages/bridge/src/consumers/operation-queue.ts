/** Runs the operations of one consumer one after another, and knows since when there was none. */

export class OperationQueue {
  /** Called before each operation of the client, which waits for what it returns. */
  readonly #onNext: () => Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #runningCount = 0;
  #touchedAtMs = performance.now();

  constructor(onNext: () => Promise<void> | undefined) {
    this.#onNext = onNext;
  }

  /** Since the last operation, in milliseconds; 0 while one is running. */
  idleMs(): number {
    return this.#runningCount > 0 ? 0 : performance.now() - this.#touchedAtMs;
  }

  /** Counts as an operation that is over at once. */
  touch(): void {
    this.#touchedAtMs = performance.now();
  }

  /**
   * Settles like the operation, which begins when all that came before it are over. `isClients`: the client asks for it,
   * so it has come again; default true.
   */
  run<T>(operation: () => T | Promise<T>, { isClients = true }: { isClients?: boolean } = {}): Promise<T> {
    this.#runningCount += 1;
    const result = this.#last.then(() => {
      const settling = isClients ? this.#onNext() : undefined;
      return settling === undefined ? operation() : settling.then(operation);
    });
    const onEnd = (): void => {
      this.#runningCount -= 1;
      this.touch();
    };
    this.#last = result.then(onEnd, onEnd);
    return result;
  }
}

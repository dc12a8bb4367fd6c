/** A question to Kafka that callers share, such as one for the end of a log. */
export class SharedQuestion {
  readonly #ask: () => Promise<void>;
  /** The one that is on its way, and the one that all callers since then share. */
  #asking: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  /** Settles with the answer to a question that is asked now or later: one on its way may be older than what the caller has to know. */
  fresh(): Promise<void> {
    if (this.#asking === undefined) return this.#start();
    this.#next ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    this.#next.catch(() => {});
    return this.#next;
  }

  /** The same for a caller whom a question on its way serves as well. */
  any(): Promise<void> {
    return this.#asking ?? this.#start();
  }

  #start(): Promise<void> {
    const asking = this.#ask().finally(() => {
      if (this.#asking === asking) this.#asking = undefined;
    });
    asking.catch(() => {});
    this.#asking = asking;
    return asking;
  }
}

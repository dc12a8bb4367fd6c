/** Bytes that all consumers of a bridge together have fetched for clients that have not polled them yet, and those that are on their way. */

/** The size of a fetch when the budget is spent: consumers still make progress, in small steps. */
const SMALL_FETCH_BYTES = 65_536;

export class FetchBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** No consumer fetches ahead then. */
  get isSpent(): boolean {
    return this.#heldBytes >= this.#maxBytes;
  }

  /** What a fetch that would ask for so much may ask for. */
  fetchBytes(wantedBytes: number): number {
    return this.isSpent ? Math.min(wantedBytes, SMALL_FETCH_BYTES) : wantedBytes;
  }

  /** A consumer holds, or expects, so much more, or less. */
  add(bytes: number): void {
    this.#heldBytes += bytes;
  }
}

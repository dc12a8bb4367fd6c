/**
 * How long a lane waits between a commit and the first record of its next transaction. A commit is decided before its markers are in all
 * partitions; a transaction that begins before that is held back by the broker, in steps of 20 ms
 * (`add.partitions.to.txn.retry.backoff.ms`). A pause that is a little longer than the markers take costs less, and clients that were answered
 * send the next requests meanwhile, which share the transaction.
 */

const FIRST_PAUSE_MS = 3;
const SHORTEST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 10;
/** The broker's own step is longer. */
const HELD_BACK_MS = 18;
const LONGER_MS = 1;
const SHORTER_MS = 0.02;

export class CommitPace {
  #pauseMs = FIRST_PAUSE_MS;
  #committedAtMs = Number.NEGATIVE_INFINITY;

  get pauseMs(): number {
    return this.#pauseMs;
  }

  /** What is left of the pause. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#committedAtMs + this.#pauseMs - nowMs);
  }

  /** The first records of a transaction that began at `startedAtMs` took so long. */
  onFirstSent(startedAtMs: number, durationMs: number): void {
    // Without a commit shortly before, nothing could hold it back.
    if (startedAtMs - this.#committedAtMs > LONGEST_PAUSE_MS) return;
    this.#pauseMs =
      durationMs >= HELD_BACK_MS
        ? Math.min(LONGEST_PAUSE_MS, this.#pauseMs + LONGER_MS)
        : Math.max(SHORTEST_PAUSE_MS, this.#pauseMs - SHORTER_MS);
  }

  onCommitted(nowMs: number): void {
    this.#committedAtMs = nowMs;
  }
}

/**
 * Writes of one turn of the event loop, made together at its end.
 *
 * A write to a loopback or network peer that sleeps costs waking it. Answers that become ready in one turn are for
 * different connections, often of the same peer (a load balancer, another gateway): written one after the other they wake
 * it once.
 */
export interface PendingWrite {
  /** Writes what is ready. Must not throw: others wait behind it. */
  flush(): void;
}

export class TurnBatch {
  #pending: PendingWrite[] = [];
  readonly #flushAll = (): void => {
    const pending = this.#pending;
    this.#pending = [];
    for (const write of pending) write.flush();
  };

  /** Flushes `write` at the end of this turn. */
  add(write: PendingWrite): void {
    if (this.#pending.length === 0) setImmediate(this.#flushAll);
    this.#pending.push(write);
  }
}

/**
 * Batches the writes of one turn of the event loop.
 *
 * A write to a peer that sleeps has to wake it. Responses that are ready in one turn belong to different connections, often of the
 * same peer (a load balancer, another gateway): written one after the other they wake it once.
 */
export interface PendingWrite {
  /** Writes the response. Must not throw: others follow. */
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

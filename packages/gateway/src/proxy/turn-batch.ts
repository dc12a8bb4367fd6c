/**
 * Writes of one turn of the event loop, made together at its end.
 *
 * A write to a loopback or network peer that sleeps costs waking it. Answers that become ready in one turn are for
 * different connections, often of the same peer (a load balancer, another gateway): written one after the other they wake
 * it once.
 */
export class TurnBatch {
  #writes: (() => void)[] = [];
  readonly #flush = (): void => {
    const writes = this.#writes;
    this.#writes = [];
    for (const write of writes) write();
  };

  /** Calls `write` at the end of this turn. */
  add(write: () => void): void {
    if (this.#writes.length === 0) setImmediate(this.#flush);
    this.#writes.push(write);
  }
}

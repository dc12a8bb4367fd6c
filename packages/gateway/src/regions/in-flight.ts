/** The requests under way on a target: a list whose members know their place, so that coming and going is two writes. */

/** Something under way on a target that can be told to look for another one. */
export interface InFlight {
  /** Its place in the list; -1 outside of it. Kept by the list. */
  inFlightIndex: number;
  /** When its time is up, on the clock that `expire` is given; Infinity for never. */
  readonly deadlineMs: number;
  /** Its time is up. */
  onDeadline(): void;
  /** The target was declared down, or says that its Kafka is (`isOfKafka`); `true` when the request goes elsewhere, `false` when it cannot and stays. */
  targetDeclaredDown(reason: string, isOfKafka: boolean): boolean;
}

/**
 * Not a Set: under this load V8 links each outgrown table of a Set to its successor, and a table that was promoted keeps
 * all later ones, with the requests in them, until the next full collection.
 */
export class InFlightList {
  readonly #items: InFlight[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: InFlight): void {
    item.inFlightIndex = this.#items.length;
    this.#items.push(item);
  }

  /** Does nothing for an item that is not in the list. */
  remove(item: InFlight): void {
    const { inFlightIndex } = item;
    if (inFlightIndex === -1) return;
    const last = this.#items.pop();
    if (last !== undefined && last !== item) {
      this.#items[inFlightIndex] = last;
      last.inFlightIndex = inFlightIndex;
    }
    item.inFlightIndex = -1;
  }

  toArray(): InFlight[] {
    return [...this.#items];
  }

  /** Tells those whose time is up. One sweep for all costs less than a timer for each. */
  expire(nowMs: number): void {
    // Backwards: what leaves is replaced by the last, which was looked at already.
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const item = this.#items[index];
      if (item !== undefined && item.deadlineMs <= nowMs) item.onDeadline();
    }
  }
}

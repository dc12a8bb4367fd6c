/** A list whose members know their place in it, so that adding and removing one are two writes each. */

/** A member of one {@link IndexedList} at a time. */
export interface Indexed {
  /** The place in the list, -1 outside of it. Only the list writes it. */
  listIndex: number;
}

/**
 * Keeps no order: the last member takes the place of one that leaves.
 *
 * Not a Set: under the load of the request path V8 links each outgrown table of a Set to its successor, and a table that
 * was promoted keeps all later ones, with their members, until the next full collection.
 */
export class IndexedList<T extends Indexed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.listIndex = this.#items.length;
    this.#items.push(item);
  }

  /** Does nothing for an item that is not in the list. */
  remove(item: T): void {
    const { listIndex } = item;
    if (listIndex === -1) return;
    item.listIndex = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#items[listIndex] = last;
    last.listIndex = listIndex;
  }

  /** Removes the last member: the one added last, unless a removal moved another one there. */
  pop(): T | undefined {
    const item = this.#items.pop();
    if (item !== undefined) item.listIndex = -1;
    return item;
  }

  /** The members now: later changes do not show in it. */
  toArray(): T[] {
    return [...this.#items];
  }

  /** Calls `visit` for each member; a visit may remove its own member. */
  forEach(visit: (item: T) => void): void {
    // Backwards: the last one, which takes a free place, was visited already.
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const item = this.#items[index];
      if (item !== undefined) visit(item);
    }
  }
}

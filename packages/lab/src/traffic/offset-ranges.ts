/** Which offsets of a partition were delivered, as ranges: as small as there are gaps, however long it runs. */

/** Both ends inclusive. */
interface Range {
  first: number;
  last: number;
}

export class OffsetRanges {
  /** In ascending order; two of them never touch. */
  readonly #ranges: Range[] = [];

  /** Whether the offset is new. */
  add(offset: number): boolean {
    const index = this.#ranges.findLastIndex(({ first }) => first <= offset);
    const before = this.#ranges[index];
    if (before !== undefined && offset <= before.last) return false;
    const after = this.#ranges[index + 1];
    const touchesBefore = before?.last === offset - 1;
    const touchesAfter = after?.first === offset + 1;
    if (before !== undefined && touchesBefore) {
      before.last = touchesAfter && after !== undefined ? after.last : offset;
      if (touchesAfter) this.#ranges.splice(index + 1, 1);
    } else if (after !== undefined && touchesAfter) {
      after.first = offset;
    } else {
      this.#ranges.splice(index + 1, 0, { first: offset, last: offset });
    }
    return true;
  }

  /** Offsets between the first and the last one that are not among them. */
  get missing(): number {
    return this.#ranges.reduce((total, { first }, index) => {
      const before = this.#ranges[index - 1];
      return before === undefined ? total : total + first - before.last - 1;
    }, 0);
  }
}

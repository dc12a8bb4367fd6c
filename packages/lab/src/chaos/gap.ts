/** The longest time between two consecutive moments. */
export class Gap {
  #sinceMs: number | undefined;
  #longestMs = 0;

  end(atMs: number): void {
    this.#longestMs = this.longestMs(atMs);
    this.#sinceMs = atMs;
  }

  longestMs(atMs: number): number {
    return this.#sinceMs === undefined ? 0 : Math.max(this.#longestMs, atMs - this.#sinceMs);
  }
}

/** Remembers what was derived from texts of clients: bounded in number and in memory, the most recently used. */

export interface CacheLimits {
  readonly maxEntries: number;
  /** Of all keys together, in characters. */
  readonly maxChars: number;
}

/**
 * Two generations: a full one becomes the old one, whose entries move back as they are used. A lookup costs one look into a map. The
 * key is the text itself: V8 seeds its hashes at random, so that clients can neither aim at a bucket nor learn from timing.
 */
export class TextCache<Value> {
  readonly #limits: CacheLimits;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  #youngChars = 0;

  constructor({ maxEntries, maxChars }: CacheLimits) {
    this.#limits = { maxEntries: Math.ceil(maxEntries / 2), maxChars: Math.ceil(maxChars / 2) };
  }

  get(key: string): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    const { maxEntries, maxChars } = this.#limits;
    if (key.length > maxChars) return;
    this.#old.delete(key);
    if (!this.#young.has(key)) {
      if (this.#young.size >= maxEntries || this.#youngChars + key.length > maxChars) this.#age();
      this.#youngChars += key.length;
    }
    this.#young.set(key, value);
  }

  delete(key: string): void {
    if (this.#young.delete(key)) this.#youngChars -= key.length;
    this.#old.delete(key);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #age(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngChars = 0;
  }
}

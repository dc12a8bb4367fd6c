/** Credentials that Kafka refused lately, by their keyed hashes: brokers are not asked about them again for a while. */

/** Brokers are not asked again for this long about credentials that they refused. */
const REFUSAL_MS = 10_000;
const MAX_COUNT = 10_000;

export class RefusedCredentials {
  /** When each counts no more; the oldest first, since all count equally long. */
  readonly #untilMs = new Map<string, number>();

  add(hash: string, nowMs: number): void {
    this.#untilMs.delete(hash);
    this.#untilMs.set(hash, nowMs + REFUSAL_MS);
    this.#forget(nowMs);
  }

  has(hash: string, nowMs: number): boolean {
    return nowMs < (this.#untilMs.get(hash) ?? Number.NEGATIVE_INFINITY);
  }

  #forget(nowMs: number): void {
    for (const [hash, untilMs] of this.#untilMs) {
      if (untilMs > nowMs && this.#untilMs.size <= MAX_COUNT) return;
      this.#untilMs.delete(hash);
    }
  }
}

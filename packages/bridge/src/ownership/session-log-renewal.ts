/**
 * The renewal of a session log that was recreated or lost records: every bridge reads what the new log has, and writes the entries of
 * the sessions that it holds. Until then, and until every confirmation by the old log is too old, the new log confirms nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { bounded, type Limits } from '../kafka/client/limits.ts';

export class SessionLogRenewal {
  readonly #writeAgain: () => Promise<void>;
  readonly #settleMs: number;
  readonly #unread = new Set<number>();
  readonly #life = new AbortController();
  #generation = 0;
  #beganAtMs = Number.NEGATIVE_INFINITY;
  #settled: PromiseWithResolvers<void> | undefined;

  /**
   * `writeAgain` writes the entries of this bridge; it never rejects. The new log confirms nothing for `settleMs` after that,
   * which must be longer than a confirmation by the old log counts.
   */
  constructor(writeAgain: () => Promise<void>, { settleMs }: { settleMs: number }) {
    this.#writeAgain = writeAgain;
    this.#settleMs = settleMs;
  }

  get isRunning(): boolean {
    return this.#settled !== undefined;
  }

  /** Whether there was a renewal, and it is over. */
  get isOver(): boolean {
    return this.#generation > 0 && this.#settled === undefined;
  }

  /** Whether offsets that were read at this moment, by `performance.now()`, may be those of an earlier log. */
  hasBegunSince(atMs: number): boolean {
    return this.#beganAtMs >= atMs;
  }

  /** The partition was recreated. */
  begin(partition: number): void {
    this.#generation += 1;
    this.#beganAtMs = performance.now();
    this.#unread.add(partition);
    this.#settled ??= Promise.withResolvers();
  }

  /** The recreated partition was read to its end. */
  onRead(partition: number): void {
    if (this.#unread.delete(partition) && this.#unread.size === 0) void this.#settle(this.#generation);
  }

  /** Waits until the log confirms again. Errors: as {@link bounded}. */
  async untilSettled(limits: Limits): Promise<void> {
    while (this.#settled !== undefined) await bounded(this.#settled.promise, limits);
  }

  close(): void {
    this.#life.abort();
  }

  async #settle(generation: number): Promise<void> {
    await this.#writeAgain();
    await delay(this.#settleMs, undefined, { signal: this.#life.signal }).catch(() => {});
    // The log was recreated once more.
    if (generation !== this.#generation) return;
    const settled = this.#settled;
    this.#settled = undefined;
    settled?.resolve();
  }
}

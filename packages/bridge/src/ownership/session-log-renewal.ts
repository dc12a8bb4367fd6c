/**
 * Writes a session log again that was deleted or truncated: every bridge reads what is there, and writes the entries of the
 * sessions that it holds. Until then, and until every confirmation by the old log is over, the new log confirms nothing.
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
   * `writeAgain` writes the sessions of this bridge; never throws. The new log confirms nothing for `settleMs` after that:
   * longer than a confirmation by the old log counts.
   */
  constructor(writeAgain: () => Promise<void>, { settleMs }: { settleMs: number }) {
    this.#writeAgain = writeAgain;
    this.#settleMs = settleMs;
  }

  get isRunning(): boolean {
    return this.#settled !== undefined;
  }

  /** Whether there was one. */
  get isOver(): boolean {
    return this.#generation > 0 && this.#settled === undefined;
  }

  /** Whether offsets that were learned at this moment, by `performance.now()`, are those of a log before. */
  hasBegunSince(atMs: number): boolean {
    return this.#beganAtMs >= atMs;
  }

  /** The partition is a new one. */
  begin(partition: number): void {
    this.#generation += 1;
    this.#beganAtMs = performance.now();
    this.#unread.add(partition);
    this.#settled ??= Promise.withResolvers();
  }

  /** Everything that the partition had was read. */
  onRead(partition: number): void {
    if (this.#unread.delete(partition) && this.#unread.size === 0) void this.#settle(this.#generation);
  }

  /** Until the log confirms again. Errors: as {@link bounded}. */
  async untilSettled(limits: Limits): Promise<void> {
    while (this.#settled !== undefined) await bounded(this.#settled.promise, limits);
  }

  close(): void {
    this.#life.abort();
  }

  async #settle(generation: number): Promise<void> {
    await this.#writeAgain();
    await delay(this.#settleMs, undefined, { signal: this.#life.signal }).catch(() => {});
    // It was made anew once more.
    if (generation !== this.#generation) return;
    const settled = this.#settled;
    this.#settled = undefined;
    settled?.resolve();
  }
}

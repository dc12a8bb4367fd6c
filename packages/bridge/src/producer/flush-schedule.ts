/** Decides when arrived records are sent: in the next turn of the event loop, or after `lingerMs` for others to join them. */

export interface FlushScheduleOptions {
  /** How long a record may wait for others. */
  lingerMs: number;
  /** A batch of this size is sent at once. */
  maxBatchBytes: number;
  maxBatchRecords: number;
}

export class FlushSchedule {
  readonly #options: FlushScheduleOptions;
  readonly #flush: () => void;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Arrived since the last flush. */
  #bytes = 0;
  #recordCount = 0;
  #isClosed = false;

  constructor(options: FlushScheduleOptions, flush: () => void) {
    this.#options = options;
    this.#flush = flush;
  }

  /** Whether records wait for others. */
  get isLingering(): boolean {
    return this.#options.lingerMs > 0 && !this.#isClosed;
  }

  /** Records have arrived, and wait from now. */
  onArrival({ bytes, recordCount }: { bytes: number; recordCount: number }): void {
    this.#bytes += bytes;
    this.#recordCount += recordCount;
    const { lingerMs, maxBatchBytes, maxBatchRecords } = this.#options;
    const isFull = this.#bytes >= maxBatchBytes || this.#recordCount >= maxBatchRecords;
    if (isFull || !this.isLingering) this.flushSoon();
    else this.#timer ??= setTimeout(() => this.flushSoon(), lingerMs);
  }

  /** Records that have waited since `sinceMs`, on the clock of `performance.now()`. */
  onWaiting(sinceMs: number): void {
    const leftMs = sinceMs + this.#options.lingerMs - performance.now();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (leftMs <= 0 || !this.isLingering) this.flushSoon();
    else this.#timer = setTimeout(() => this.flushSoon(), leftMs);
  }

  /** Flushes after the requests that have arrived in this turn of the event loop, so that they share a batch. */
  flushSoon(): void {
    this.#immediate ??= setImmediate(() => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#immediate = undefined;
      this.#bytes = 0;
      this.#recordCount = 0;
      this.#flush();
    });
  }

  /** Ends all waits for other records. */
  close(): void {
    this.#isClosed = true;
    this.flushSoon();
  }
}

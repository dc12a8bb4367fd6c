/** When records that have arrived are sent: in the next turn of the event loop, or after others had time to join them. */

export interface FlushScheduleOptions {
  /** How long a record may wait for others. */
  lingerMs: number;
  /** With so much there is nothing to wait for. */
  maxBatchBytes: number;
  maxBatchRecords: number;
}

export class FlushSchedule {
  readonly #options: FlushScheduleOptions;
  readonly #flush: () => void;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What has arrived since the last flush. */
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

  /** Records that wait from now on. */
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

  /** After the requests that have arrived in this turn of the event loop, so that they go out together. */
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

  /** Nothing waits for others any more. */
  close(): void {
    this.#isClosed = true;
    this.flushSoon();
  }
}

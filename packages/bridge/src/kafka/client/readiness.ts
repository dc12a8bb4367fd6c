/** Asks Kafka on a timer whether it responds, and keeps the result. */
import type { Cluster } from './cluster.ts';
import { reasonOf } from './failure-reason.ts';
import { within } from './limits.ts';

export interface ReadinessOptions {
  intervalMs: number;
  timeoutMs: number;
  /** How long a response counts. */
  maxAgeMs: number;
  /** Called when it becomes ready, and when it no longer is. */
  onFlip: (isReady: boolean, reason: string) => void;
}

/** Sends an empty metadata request at each interval. */
export class Readiness {
  readonly #cluster: Cluster;
  readonly #options: ReadinessOptions;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #reason = 'Kafka has not answered yet';
  #wasReady = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(cluster: Cluster, options: ReadinessOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  start(): void {
    void this.#probe();
  }

  /** Why not ready; `undefined` when ready. */
  get unreadyReason(): string | undefined {
    return performance.now() - this.#answeredAtMs <= this.#options.maxAgeMs ? undefined : this.#reason;
  }

  /** How long ago Kafka last responded, in milliseconds; `undefined` before the first response. */
  get answeredAgoMs(): number | undefined {
    const agoMs = performance.now() - this.#answeredAtMs;
    return Number.isFinite(agoMs) ? agoMs : undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    const startedAtMs = performance.now();
    try {
      await this.#cluster.ping(within(this.#options.timeoutMs));
      this.#answeredAtMs = performance.now();
    } catch (error) {
      this.#reason = `Kafka does not answer: ${reasonOf(error)}`;
    }
    if (this.#isClosed) return;
    const reason = this.unreadyReason;
    const isReady = reason === undefined;
    if (isReady !== this.#wasReady) {
      this.#wasReady = isReady;
      this.#options.onFlip(isReady, reason ?? 'Kafka answers');
    }
    const spentMs = performance.now() - startedAtMs;
    this.#timer = setTimeout(() => void this.#probe(), Math.max(0, this.#options.intervalMs - spentMs));
  }
}

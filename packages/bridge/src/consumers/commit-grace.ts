/**
 * A moment for clients that commit by themselves, before a rebalance takes partitions away: what they have received and not committed would come again
 * to another member. Kafka's own consumer rebalances while its client polls, and so never between a response and the commit of it.
 */
import { bounded, type Limits, remainingMs, within } from '../kafka/client/limits.ts';

/** From the response on. The group waits for it. */
const GRACE_MS = 1000;

export class CommitGrace {
  #deliveredAtMs = Number.NEGATIVE_INFINITY;
  #waiter: PromiseWithResolvers<void> | undefined;

  /** The client has received records. */
  begin(): void {
    this.#deliveredAtMs = performance.now();
  }

  /** The client has committed, or does something else. */
  end(): void {
    this.#deliveredAtMs = Number.NEGATIVE_INFINITY;
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }

  /** Waits until the client has committed what it has just received, or the moment is over. Never rejects. */
  async wait(limits: Limits): Promise<void> {
    const leftMs = Math.min(this.#deliveredAtMs + GRACE_MS - performance.now(), remainingMs(limits));
    if (leftMs <= 0) return;
    this.#waiter ??= Promise.withResolvers();
    await bounded(this.#waiter.promise, within(leftMs, limits.signal)).catch(() => {});
  }
}

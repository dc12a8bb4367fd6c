/**
 * Requests that wait until the active cluster serves again, or another one is promoted. A client that leaves ends the wait of its
 * request, and so does the request's deadline.
 */
import type { ClusterView } from './cluster-view.ts';

/** A request that waits. */
export interface ClusterWait {
  /** The active cluster when the wait began. */
  readonly active: string;
  /**
   * The targets of that cluster failed the request: it goes there again only after a probe that began later than this, in milliseconds of
   * the monotonic clock. `undefined`: it was sent to none.
   */
  readonly provenAfterMs: number | undefined;
  readonly deadlineMs: number;
  /** As many requests wait as may: this one does not. */
  isRefused: boolean;
}

/** A cluster reported that it serves, in a probe that began then. */
export interface ServiceProof {
  readonly cluster: string;
  readonly begunMs: number;
}

export class ClusterWaits {
  readonly #waiting = new Map<ClusterWait, () => void>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `resume` when the wait is over, once; at once if it is refused. */
  add(wait: ClusterWait, maxWaiting: number, resume: () => void): void {
    if (this.#waiting.size < maxWaiting) {
      this.#waiting.set(wait, resume);
      return;
    }
    wait.isRefused = true;
    resume();
  }

  /** The request has ended. */
  remove(wait: ClusterWait): void {
    this.#waiting.delete(wait);
  }

  /** There is a new snapshot. */
  onView(view: ClusterView | undefined): void {
    if (this.#waiting.size === 0 || view?.awaited !== undefined) return;
    this.#resume(({ active, provenAfterMs }) => provenAfterMs === undefined || active !== view?.active);
  }

  /** A target of the active cluster reported that it serves. */
  onProof({ cluster, begunMs }: ServiceProof, view: ClusterView | undefined): void {
    if (this.#waiting.size === 0 || view?.awaited !== undefined) return;
    this.#resume(
      ({ active, provenAfterMs }) => active === cluster && provenAfterMs !== undefined && begunMs >= provenAfterMs,
    );
  }

  /** Ends waits that have lasted too long. */
  expire(nowMs: number): void {
    if (this.#waiting.size > 0) this.#resume(({ deadlineMs }) => deadlineMs <= nowMs);
  }

  /** Those that resume may wait again, which this leaves alone. */
  #resume(isOver: (wait: ClusterWait) => boolean): void {
    const over = [...this.#waiting].filter(([wait]) => isOver(wait));
    for (const [wait] of over) this.#waiting.delete(wait);
    for (const [, resume] of over) resume();
  }
}

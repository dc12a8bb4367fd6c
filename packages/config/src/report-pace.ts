/** Counts events, and says at most once a minute how many there were: for reports that clients could cause without end. */

const INTERVAL_MS = 60_000;

/** Of one kind of reports. */
export class ReportPace {
  #unreportedCount = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  /** Counts one more. Returns how many there were since the last report where one is due, else `undefined`. `nowMs` never goes back. */
  count(nowMs: number): number | undefined {
    this.#unreportedCount += 1;
    if (nowMs - this.#reportedAtMs < INTERVAL_MS) return undefined;
    this.#reportedAtMs = nowMs;
    const count = this.#unreportedCount;
    this.#unreportedCount = 0;
    return count;
  }
}

/** Of several kinds of reports, few and lasting, each at its own pace. */
export class ReportPaces<Kind> {
  readonly #paces = new Map<Kind, ReportPace>();

  /** As {@link ReportPace.count}. */
  count(kind: Kind, nowMs: number): number | undefined {
    let pace = this.#paces.get(kind);
    if (pace === undefined) {
      pace = new ReportPace();
      this.#paces.set(kind, pace);
    }
    return pace.count(nowMs);
  }
}

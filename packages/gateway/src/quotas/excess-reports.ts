/** Reports requests beyond a quota: each quota at most once a minute. */
import type { QuotaLimit } from './limits.ts';

export interface ExcessReport {
  quota: QuotaLimit;
  /** The principal, or the address, of the last request. */
  who: string;
  /** Since the last report of the quota, including this one: of all principals and addresses. */
  requestCount: number;
}

export interface ExcessReportsOptions {
  onReport: (report: ExcessReport) => void;
  /** Milliseconds, never going back. */
  now: () => number;
}

const REPORT_INTERVAL_MS = 60_000;

export class ExcessReports {
  readonly #options: ExcessReportsOptions;
  readonly #quotas = new Map<QuotaLimit, { requestCount: number; reportedAtMs: number }>();

  constructor(options: ExcessReportsOptions) {
    this.#options = options;
  }

  add(quota: QuotaLimit, who: string): void {
    const { onReport, now } = this.#options;
    let state = this.#quotas.get(quota);
    if (state === undefined) {
      state = { requestCount: 0, reportedAtMs: Number.NEGATIVE_INFINITY };
      this.#quotas.set(quota, state);
    }
    state.requestCount += 1;
    const nowMs = now();
    if (nowMs - state.reportedAtMs < REPORT_INTERVAL_MS) return;
    state.reportedAtMs = nowMs;
    const { requestCount } = state;
    state.requestCount = 0;
    onReport({ quota, who, requestCount });
  }
}

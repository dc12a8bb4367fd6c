/** Reports requests beyond a quota: each quota at most once a minute. */
import { ReportPaces } from '@causeway/config/report-pace.ts';
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

export class ExcessReports {
  readonly #options: ExcessReportsOptions;
  readonly #paces = new ReportPaces<QuotaLimit>();

  constructor(options: ExcessReportsOptions) {
    this.#options = options;
  }

  add(quota: QuotaLimit, who: string): void {
    const { onReport, now } = this.#options;
    const requestCount = this.#paces.count(quota, now());
    if (requestCount !== undefined) onReport({ quota, who, requestCount });
  }
}

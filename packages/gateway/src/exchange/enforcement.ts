/**
 * Whether a target has applied what this gateway knows of a principal. One that does not trust this gateway, or is too old, ignores the
 * headers with it, and would serve the request as that of a client without a name and without rules: its response does not reach the client.
 */
import { ReportPace } from '@causeway/config/report-pace.ts';
import { isEnforcedByBridge } from '@causeway/protocol/operations/table.ts';
import { ENFORCED_HEADER } from '@causeway/protocol/routing.ts';
import type { Attempt } from './attempt.ts';
import type { ClientRequest } from './client-request.ts';

/** Responses from here on are errors: they show nothing that rules could forbid, and gateways and servers make some of them by themselves. */
const MIN_ERROR_STATUS = 400;

export function isEnforced(
  { admitted, url }: Pick<ClientRequest, 'admitted' | 'url'>,
  { status, headers }: Pick<Attempt, 'status' | 'headers'>,
): boolean {
  const principal = admitted?.principal;
  // The gateway that has authenticated the principal looks.
  if (principal === undefined || principal.method === 'gateway') return true;
  return status >= MIN_ERROR_STATUS || headers[ENFORCED_HEADER] !== undefined || !isEnforcedByBridge(url.operation);
}

/** Counts such responses, and reports them: at most once a minute for each target. */
export class UnenforcedReports<Target extends object> {
  readonly #report: (target: Target, requestCount: number) => void;
  readonly #now: () => number;
  readonly #paces = new WeakMap<Target, ReportPace>();

  constructor(report: (target: Target, requestCount: number) => void, now: () => number) {
    this.#report = report;
    this.#now = now;
  }

  add(target: Target): void {
    const pace = this.#paces.get(target) ?? new ReportPace();
    this.#paces.set(target, pace);
    const requestCount = pace.count(this.#now());
    if (requestCount !== undefined) this.#report(target, requestCount);
  }
}

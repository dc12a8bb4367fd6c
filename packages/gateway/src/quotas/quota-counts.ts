/** Counters of refusals, by principal and limit: integers that requests increment, and metrics read. */
import type { QuotaLimit } from './limits.ts';

export class QuotaCounts {
  /** By label: a principal that the configuration names, `other`, or `none` for an address: their number is bounded. */
  readonly byPrincipal = new Map<string, Map<QuotaLimit, number>>();

  refused(limit: QuotaLimit, principal: string): void {
    let counts = this.byPrincipal.get(principal);
    if (counts === undefined) {
      counts = new Map();
      this.byPrincipal.set(principal, counts);
    }
    counts.set(limit, (counts.get(limit) ?? 0) + 1);
  }
}

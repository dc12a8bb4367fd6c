/** Metrics of quotas: what was refused, and for how many principals and addresses something is counted. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import { QUOTA_LIMITS } from '../quotas/limits.ts';
import type { Quotas } from '../quotas/quotas.ts';

export const QUOTA_METRICS = {
  refused: counter(
    'causeway_quota_refused_total',
    'Requests beyond a quota (429), by limit and principal: as in causeway_principal_requests_total, or none (of an address).',
    ['limit', 'principal'],
  ),
  accounts: gauge('causeway_quota_accounts', 'Principals and addresses whose usage is remembered.', ['kind']),
};

export interface QuotaSources {
  quotas: Pick<Quotas, 'counts' | 'accountCounts'>;
}

export function addQuotaMetrics(exposition: Exposition, { quotas }: QuotaSources): void {
  exposition.add(QUOTA_METRICS.refused, (sample) => {
    for (const [principal, counts] of quotas.counts.byPrincipal) {
      // Those that were not exceeded are 0: a rate sees only what grows.
      for (const limit of QUOTA_LIMITS) sample({ limit, principal }, counts.get(limit) ?? 0);
    }
  });
  exposition.add(QUOTA_METRICS.accounts, (sample) => {
    for (const [kind, count] of Object.entries(quotas.accountCounts)) sample({ kind }, count);
  });
}

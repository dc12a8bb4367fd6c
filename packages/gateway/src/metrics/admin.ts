/** Metrics of the admin API: changes, and refused requests. */
import { counter } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';

export const ADMIN_METRICS = {
  changes: counter('causeway_admin_changes_total', 'Changes through the admin API: done or failed.', ['result']),
  refusals: counter(
    'causeway_admin_refused_requests_total',
    'Requests that the admin API refused: no_token, unknown_token (someone may be guessing), viewer (a change with the token of a viewer), no_tokens_configured, cross_site (a page of another origin), host (an unknown name in Host).',
    ['reason'],
  ),
};

export interface AdminCounts {
  readonly changes: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
}

export interface AdminCountSources {
  adminCounts: () => AdminCounts;
}

export function addAdminMetrics(exposition: Exposition, { adminCounts }: AdminCountSources): void {
  exposition.add(ADMIN_METRICS.changes, (sample) => {
    for (const [result, count] of Object.entries(adminCounts().changes)) sample({ result }, count);
  });
  exposition.add(ADMIN_METRICS.refusals, (sample) => {
    for (const [reason, count] of Object.entries(adminCounts().refusals)) sample({ reason }, count);
  });
}

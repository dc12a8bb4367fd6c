/** Metrics of clients' credentials: checks of passwords, and the files of names and hashes. */
import { counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { CredentialMethods } from '../authentication/credential-methods.ts';

export const CLIENT_CREDENTIAL_METRICS = {
  checks: counter(
    'causeway_password_checks_total',
    'Checks of passwords that are not remembered: right, wrong (also unknown names), full (too many waited: 503), failed (as for a lack of memory: 503).',
    ['result'],
  ),
  pending: gauge('causeway_password_checks_pending', 'Checks of passwords that wait or run.'),
  durations: histogram(
    'causeway_password_check_duration_seconds',
    'From the request to the result of a check, with the time that it waited.',
  ),
  isUsable: gauge(
    'causeway_credentials_usable',
    '0 while a file of passwords or API keys cannot be used and the one before is in use.',
    ['file'],
  ),
  reloads: counter(
    'causeway_credentials_reloads_total',
    'Changes of a file of passwords or API keys: applied or refused.',
    ['file', 'outcome'],
  ),
};

export interface ClientCredentialSources {
  clientCredentials: CredentialMethods;
}

export function addClientCredentialMetrics(
  exposition: Exposition,
  { clientCredentials }: ClientCredentialSources,
): void {
  const { checks } = clientCredentials;
  exposition.add(CLIENT_CREDENTIAL_METRICS.checks, (sample) => {
    for (const [result, count] of Object.entries(checks.counts)) sample({ result }, count);
  });
  exposition.addValue(CLIENT_CREDENTIAL_METRICS.pending, () => checks.pendingCount);
  exposition.addDistributions(CLIENT_CREDENTIAL_METRICS.durations, (sample) => sample({}, checks.durations));
  exposition.add(CLIENT_CREDENTIAL_METRICS.isUsable, (sample) => {
    for (const { file, problem } of clientCredentials.stores) sample({ file }, problem === null ? 1 : 0);
  });
  exposition.add(CLIENT_CREDENTIAL_METRICS.reloads, (sample) => {
    for (const { file, reloadCounts } of clientCredentials.stores) {
      for (const [outcome, count] of Object.entries(reloadCounts)) sample({ file, outcome }, count);
    }
  });
}

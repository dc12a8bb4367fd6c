/** Metrics of the files of `upstream.tls`: the certificate that the gateway shows its targets, and its authorities. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import { MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { UpstreamCredentials } from '../upstream/credentials.ts';

export const CREDENTIAL_METRICS = {
  expiry: gauge(
    'causeway_upstream_certificate_expiry_timestamp_seconds',
    'When the certificate that the gateway shows its targets ends, in seconds since 1970. There with upstream.tls.certFile only.',
  ),
  expiresSoon: gauge(
    'causeway_upstream_certificate_expires_soon',
    '1 while the certificate that the gateway shows its targets has less than a tenth of its life left.',
  ),
  isUsable: gauge(
    'causeway_upstream_certificate_usable',
    '0 while a changed file of upstream.tls cannot be used and the previous one is in use, or the certificate has expired.',
  ),
  reloads: counter(
    'causeway_upstream_certificate_reloads_total',
    'Changes of the files of upstream.tls: applied or refused.',
    ['outcome'],
  ),
};

export interface CredentialSources {
  credentials: UpstreamCredentials;
}

export function addCredentialMetrics(exposition: Exposition, { credentials }: CredentialSources): void {
  exposition.add(CREDENTIAL_METRICS.expiry, (sample) => {
    const { expiresAtMs } = credentials;
    if (expiresAtMs !== undefined) sample({}, expiresAtMs / MILLISECONDS_PER_SECOND);
  });
  exposition.addValue(CREDENTIAL_METRICS.expiresSoon, () => (credentials.isExpiringSoon ? 1 : 0));
  exposition.addValue(CREDENTIAL_METRICS.isUsable, () => (credentials.problem === null ? 1 : 0));
  exposition.add(CREDENTIAL_METRICS.reloads, (sample) => {
    for (const [outcome, count] of Object.entries(credentials.reloadCounts)) sample({ outcome }, count);
  });
}

/** Metrics of the HTTPS listener's certificate. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import { MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';

/** There with an HTTPS listener only. */
export const CERTIFICATE_METRICS = {
  expiry: gauge(
    'causeway_bridge_certificate_expiry_timestamp_seconds',
    'When the certificate of the listener ends, in seconds since 1970.',
  ),
  reloads: counter(
    'causeway_bridge_certificate_reloads_total',
    'Changes of the certificate files: applied or refused.',
    ['outcome'],
  ),
};

export interface CertificateSources {
  /** Of the HTTPS listener, if there is one. */
  certificates: { readonly expiresAtMs: number; readonly reloadCounts: Readonly<Record<string, number>> } | undefined;
}

export function addCertificateMetrics(exposition: Exposition, { certificates }: CertificateSources): void {
  if (certificates === undefined) return;
  exposition.addValue(CERTIFICATE_METRICS.expiry, () => certificates.expiresAtMs / MILLISECONDS_PER_SECOND);
  exposition.add(CERTIFICATE_METRICS.reloads, (sample) => {
    for (const [outcome, count] of Object.entries(certificates.reloadCounts)) sample({ outcome }, count);
  });
}

/** Metrics of the certificates of listeners, the same for both programs. */
import { counter, gauge } from './declaration.ts';
import { MILLISECONDS_PER_SECOND } from './distribution.ts';
import type { Exposition } from './exposition.ts';

/** A listener with TLS. */
export interface CertificateSource {
  /** Its name, the label `listener`. */
  name: string;
  certificates: {
    readonly state: {
      readonly notAfter: Date;
      readonly isExpiringSoon: boolean;
      readonly problem: string | undefined;
    };
    readonly reloadCounts: Readonly<Record<string, number>>;
    readonly handshakeFailures: { readonly counts: Readonly<Record<string, number>> };
  };
}

export type CertificateMetrics = ReturnType<typeof certificateMetrics>;

/** There with HTTPS listeners only. `prefix`: of the program's metrics. */
export function certificateMetrics<const Prefix extends string>(prefix: Prefix) {
  return {
    expiry: gauge(
      `${prefix}_certificate_expiry_timestamp_seconds`,
      'When the first certificate of the listener ends, in seconds since 1970.',
      ['listener'],
    ),
    expiresSoon: gauge(
      `${prefix}_certificate_expires_soon`,
      '1 while a certificate of the listener has less than a tenth of its life left.',
      ['listener'],
    ),
    isUsable: gauge(
      `${prefix}_certificate_usable`,
      '0 while a certificate of the listener has expired, or a changed file cannot be used and the previous one is in use.',
      ['listener'],
    ),
    reloads: counter(`${prefix}_certificate_reloads_total`, 'Changes of the certificate files: applied or refused.', [
      'listener',
      'outcome',
    ]),
    handshakeFailures: counter(
      `${prefix}_tls_handshake_failures_total`,
      'TLS handshakes of clients that failed, by reason.',
      ['listener', 'reason'],
    ),
  };
}

export function addCertificateMetrics(
  exposition: Exposition,
  metrics: CertificateMetrics,
  listeners: () => readonly CertificateSource[],
): void {
  exposition.add(metrics.expiry, (sample) => {
    for (const { name, certificates } of listeners()) {
      sample({ listener: name }, certificates.state.notAfter.getTime() / MILLISECONDS_PER_SECOND);
    }
  });
  exposition.add(metrics.expiresSoon, (sample) => {
    for (const { name, certificates } of listeners()) {
      sample({ listener: name }, certificates.state.isExpiringSoon ? 1 : 0);
    }
  });
  exposition.add(metrics.isUsable, (sample) => {
    for (const { name, certificates } of listeners()) {
      sample({ listener: name }, certificates.state.problem === undefined ? 1 : 0);
    }
  });
  exposition.add(metrics.reloads, (sample) => {
    for (const { name, certificates } of listeners()) {
      for (const [outcome, count] of Object.entries(certificates.reloadCounts))
        sample({ listener: name, outcome }, count);
    }
  });
  exposition.add(metrics.handshakeFailures, (sample) => {
    for (const { name, certificates } of listeners()) {
      for (const [reason, count] of Object.entries(certificates.handshakeFailures.counts)) {
        sample({ listener: name, reason }, count);
      }
    }
  });
}

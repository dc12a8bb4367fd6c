/** Metrics of clients' identity: how requests were authenticated, whose they are, and the keys of issuers. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import { MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { AuthenticationStats } from '../authentication/authenticator.ts';
import type { KeySource } from '../authentication/jwks-source.ts';
import { EXCHANGE_OUTCOMES, type RequestStats } from '../stats.ts';

export const AUTHENTICATION_METRICS = {
  authentications: counter(
    'causeway_authentications_total',
    'Requests by the method that authenticated them (none: without credentials) and outcome: authenticated, failed (401), unavailable (503).',
    ['method', 'outcome'],
  ),
  principals: counter(
    'causeway_principal_requests_total',
    'Requests by principal and outcome: principals that auth.metricPrincipals, rules or quotas name, and other for the rest.',
    ['principal', 'outcome'],
  ),
  keysUsable: gauge(
    'causeway_issuer_keys_usable',
    '0 while the keys of an issuer of tokens cannot be read; those before stay in use for auth.jwt.issuers[].keepSeconds.',
    ['issuer'],
  ),
  keysAge: gauge(
    'causeway_issuer_keys_age_seconds',
    'How long ago the keys in use of an issuer were read. Absent without any.',
    ['issuer'],
  ),
  keyReads: counter('causeway_issuer_key_reads_total', 'Attempts to read the keys of an issuer, by outcome.', [
    'issuer',
    'outcome',
  ]),
};

export interface AuthenticationSources {
  authentications: AuthenticationStats;
  stats: RequestStats;
  keySources: () => readonly KeySource[];
}

export function addAuthenticationMetrics(exposition: Exposition, sources: AuthenticationSources): void {
  const { authentications, stats, keySources } = sources;
  exposition.add(AUTHENTICATION_METRICS.authentications, (sample) => {
    for (const [method, counts] of authentications.counts) {
      for (const [outcome, count] of Object.entries(counts)) sample({ method, outcome }, count);
    }
  });
  exposition.add(AUTHENTICATION_METRICS.principals, (sample) => {
    for (const [principal, outcomes] of stats.principals) {
      for (const outcome of EXCHANGE_OUTCOMES) sample({ principal, outcome }, outcomes.get(outcome) ?? 0);
    }
  });
  exposition.add(AUTHENTICATION_METRICS.keysUsable, (sample) => {
    for (const { issuer, problem } of keySources()) sample({ issuer }, problem === null ? 1 : 0);
  });
  exposition.add(AUTHENTICATION_METRICS.keysAge, (sample) => {
    for (const { issuer, ageMs } of keySources()) {
      if (ageMs !== undefined) sample({ issuer }, ageMs / MILLISECONDS_PER_SECOND);
    }
  });
  exposition.add(AUTHENTICATION_METRICS.keyReads, (sample) => {
    for (const { issuer, readCounts } of keySources()) {
      for (const [outcome, count] of Object.entries(readCounts)) sample({ issuer, outcome }, count);
    }
  });
}

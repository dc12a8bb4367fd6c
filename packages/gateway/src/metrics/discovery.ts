/** Metrics of the names that DNS resolves to targets. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { Discovery } from '../discovery/discovery.ts';

export const DISCOVERY_METRICS = {
  lookups: counter(
    'causeway_discovery_lookups_total',
    'Lookups of a DNS name by result: found, partial (only A or only AAAA records could be had), empty (the name has no addresses), unknown (NXDOMAIN), failed (no answer).',
    ['name', 'result'],
  ),
  addresses: gauge('causeway_discovery_addresses', 'Addresses of a DNS name in use.', ['name']),
  answerAge: gauge(
    'causeway_discovery_answer_age_seconds',
    'Seconds since a lookup of the DNS name last found addresses; before the first one, since the gateway began to look it up.',
    ['name'],
  ),
  hasProblem: gauge(
    'causeway_discovery_problem',
    '1 while DNS gives no addresses for the name, so that those of the last answer are in use, or more than discovery.maxTargets.',
    ['name'],
  ),
};

export interface DiscoverySources {
  discovery: Discovery;
}

const MS_PER_SECOND = 1_000;

export function addDiscoveryMetrics(exposition: Exposition, { discovery }: DiscoverySources): void {
  exposition.add(DISCOVERY_METRICS.lookups, (sample) => {
    for (const { label, counts } of discovery.names) {
      for (const [result, count] of Object.entries(counts)) sample({ name: label, result }, count);
    }
  });
  exposition.add(DISCOVERY_METRICS.addresses, (sample) => {
    for (const { label, endpoints } of discovery.names) sample({ name: label }, endpoints.length);
  });
  exposition.add(DISCOVERY_METRICS.answerAge, (sample) => {
    for (const { label, ageMs } of discovery.names) sample({ name: label }, ageMs / MS_PER_SECOND);
  });
  exposition.add(DISCOVERY_METRICS.hasProblem, (sample) => {
    for (const { label, problem } of discovery.names) sample({ name: label }, problem === undefined ? 0 : 1);
  });
}

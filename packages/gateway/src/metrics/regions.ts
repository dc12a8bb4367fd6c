/** Metrics of regions and their targets: probes, breakers, what is in flight, where consumers are. */
import { counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { BreakerState } from '@causeway/protocol/admin/events.ts';
import type { Affinity } from '../consumers/affinity.ts';
import type { SlotHomes } from '../ownership/slot-homes.ts';
import type { Registry } from '../regions/registry.ts';
import type { RequestStats } from '../stats.ts';

export const REGION_METRICS = {
  available: gauge(
    'causeway_target_available',
    '1 while the target gets requests: healthy, breaker not open, below its limit of requests in flight.',
    ['region', 'target'],
  ),
  healthy: gauge('causeway_target_healthy', '1 while probes find the target healthy.', ['region', 'target']),
  probes: counter('causeway_probes_total', 'Health probes by result: good or failed.', ['region', 'target', 'result']),
  probeDurations: histogram('causeway_probe_duration_seconds', 'Duration of health probes.', ['region', 'target']),
  breaker: gauge('causeway_breaker_state', '1 for the current state of the circuit breaker.', [
    'region',
    'target',
    'state',
  ]),
  inFlight: gauge('causeway_in_flight_requests', 'Requests in flight on targets.', ['region', 'target']),
  failovers: counter(
    'causeway_failovers_total',
    'Requests in flight that left a target of the region because it was declared down.',
    ['region'],
  ),
  redirects: counter(
    'causeway_redirected_requests_total',
    'Requests that belong to one region, by weight or as its consumers, and that another one served.',
    ['from', 'to'],
  ),
  weight: gauge(
    'causeway_region_weight',
    'Weight by which new work is spread now: 0 while the region is drained, or the weight that an operator set until the next reload.',
    ['region'],
  ),
  configuredWeight: gauge('causeway_region_configured_weight', 'Weight in the configuration file.', ['region']),
  panic: gauge('causeway_panic', '1 while so few targets are available that all of them get traffic.'),
  consumers: gauge('causeway_remembered_consumers', 'Consumers whose region this gateway remembers.', ['region']),
  slots: gauge(
    'causeway_remembered_slots',
    'Slots of idempotency keys (there are 32) whose region this gateway remembers.',
    ['region'],
  ),
};

const BREAKER_STATES: readonly BreakerState[] = ['closed', 'open', 'halfOpen'];

export interface RegionSources {
  registry: Registry;
  affinity: Affinity;
  slotHomes: SlotHomes;
  stats: RequestStats;
}

export function addRegionMetrics(exposition: Exposition, sources: RegionSources): void {
  const { registry, affinity, slotHomes, stats } = sources;
  exposition.add(REGION_METRICS.available, (sample) => {
    for (const { region, url, isAvailable } of registry.targets()) {
      sample({ region, target: url }, isAvailable ? 1 : 0);
    }
  });
  exposition.add(REGION_METRICS.healthy, (sample) => {
    for (const { region, url, health } of registry.targets()) {
      sample({ region, target: url }, health.status === 'healthy' ? 1 : 0);
    }
  });
  exposition.add(REGION_METRICS.probes, (sample) => {
    for (const { region, url, probeCounts } of registry.targets()) {
      sample({ region, target: url, result: 'good' }, probeCounts.good);
      sample({ region, target: url, result: 'failed' }, probeCounts.failed);
    }
  });
  exposition.addDistributions(REGION_METRICS.probeDurations, (sample) => {
    for (const { region, url, probeDurations } of registry.targets()) sample({ region, target: url }, probeDurations);
  });
  exposition.add(REGION_METRICS.breaker, (sample) => {
    for (const { region, url, breaker } of registry.targets()) {
      for (const state of BREAKER_STATES) sample({ region, target: url, state }, breaker.state === state ? 1 : 0);
    }
  });
  exposition.add(REGION_METRICS.inFlight, (sample) => {
    for (const { region, url, inFlight } of registry.targets()) sample({ region, target: url }, inFlight.size);
  });
  exposition.add(REGION_METRICS.failovers, (sample) => {
    for (const [region, count] of registry.failoverCounts()) sample({ region }, count);
  });
  exposition.add(REGION_METRICS.redirects, (sample) => {
    const names = registry.snapshot.regions.map(({ name }) => name);
    for (const from of names) {
      for (const to of names) if (to !== from) sample({ from, to }, stats.redirects.get(from)?.get(to) ?? 0);
    }
  });
  exposition.add(REGION_METRICS.weight, (sample) => {
    for (const { name, weight } of registry.snapshot.regions) sample({ region: name }, weight);
  });
  exposition.add(REGION_METRICS.configuredWeight, (sample) => {
    for (const { name, configuredWeight } of registry.snapshot.regions) sample({ region: name }, configuredWeight);
  });
  exposition.addValue(REGION_METRICS.panic, () => (registry.snapshot.isPanic ? 1 : 0));
  exposition.add(REGION_METRICS.consumers, (sample) => {
    const counts = affinity.countByRegion();
    for (const { name } of registry.snapshot.regions) sample({ region: name }, counts.get(name) ?? 0);
  });
  exposition.add(REGION_METRICS.slots, (sample) => {
    const counts = slotHomes.countByRegion();
    for (const { name } of registry.snapshot.regions) sample({ region: name }, counts.get(name) ?? 0);
  });
}

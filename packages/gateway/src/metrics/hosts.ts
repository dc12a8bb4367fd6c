/** Metrics of the hosts in targets' URLs, whose addresses are looked up. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { HostAddresses } from '../upstream/host-addresses.ts';

export const HOST_METRICS = {
  hasProblem: gauge(
    'causeway_host_problem',
    '1 while the last lookup of the host in a URL gave no addresses, so that those of the last good answer are in use.',
    ['name'],
  ),
  lookups: counter('causeway_host_lookups_total', 'Lookups of the hosts in URLs by result: found or failed.', [
    'name',
    'result',
  ]),
};

export interface HostSources {
  hosts: HostAddresses;
}

export function addHostMetrics(exposition: Exposition, { hosts }: HostSources): void {
  exposition.add(HOST_METRICS.hasProblem, (sample) => {
    for (const { name, problem } of hosts.known) sample({ name }, problem === undefined ? 0 : 1);
  });
  exposition.add(HOST_METRICS.lookups, (sample) => {
    for (const { name, counts } of hosts.known) {
      sample({ name, result: 'found' }, counts.found);
      sample({ name, result: 'failed' }, counts.failed);
    }
  });
}

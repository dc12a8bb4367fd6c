/** Metrics of several Kafka clusters: which one is active, and requests that wait for one. They need the section `clusters`. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { Clusters } from '../clusters/clusters.ts';

export const CLUSTER_METRICS = {
  active: gauge(
    'causeway_active_cluster',
    '1 for the Kafka cluster that serves clients, as far as this gateway knows.',
    ['cluster'],
  ),
  promotion: gauge(
    'causeway_cluster_promotion',
    'The number of the highest promotion of a Kafka cluster that this gateway knows; 0 while it knows none.',
  ),
  promotions: counter(
    'causeway_cluster_promotions_total',
    'Changes of the active Kafka cluster that this gateway made or followed.',
  ),
  waiting: gauge(
    'causeway_cluster_waiting_requests',
    'Requests that wait until the active Kafka cluster serves again, or another one is promoted.',
  ),
};

export interface ClusterSources {
  clusters: Clusters;
}

export function addClusterMetrics(exposition: Exposition, { clusters }: ClusterSources): void {
  exposition.add(CLUSTER_METRICS.active, (sample) => {
    for (const { name } of clusters.settings?.members ?? []) {
      sample({ cluster: name }, name === clusters.active ? 1 : 0);
    }
  });
  exposition.add(CLUSTER_METRICS.promotion, (sample) => {
    if (clusters.promotion !== undefined) sample({}, clusters.promotion.number);
  });
  exposition.add(CLUSTER_METRICS.promotions, (sample) => {
    if (clusters.settings !== undefined) sample({}, clusters.promotionCount);
  });
  exposition.add(CLUSTER_METRICS.waiting, (sample) => {
    if (clusters.settings !== undefined) sample({}, clusters.waits.size);
  });
}

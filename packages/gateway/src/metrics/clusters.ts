/** Metrics of several Kafka clusters: which one is active, requests that wait for one, and what replication lacks. They need the section `clusters`. */
import { counter, gauge } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import { CLUSTER_MODES, countLost, isLossKnown, type ReplicationStatus } from '@causeway/protocol/clusters.ts';
import type { ClusterStatuses } from '../clusters/cluster-statuses.ts';
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
  mode: gauge(
    'causeway_cluster_mode',
    '1 for the mode of a Kafka cluster, as its bridges report it: unassigned, active, pausing, standby or fenced.',
    ['cluster', 'mode'],
  ),
  measured: gauge(
    'causeway_cluster_replication_measured',
    '1 while a bridge measures what the Kafka cluster in `to` lacks; 0: the next two do not hold, and have no values.',
    ['from', 'to'],
  ),
  lagRecords: gauge(
    'causeway_cluster_replication_lag_records',
    'Records of the active Kafka cluster that the other one does not have yet: they would be lost with it (RPO).',
    ['from', 'to'],
  ),
  lagSeconds: gauge(
    'causeway_cluster_replication_lag_seconds',
    'For how long the other Kafka cluster has not had everything of the active one; 0 while it has (RPO).',
    ['from', 'to'],
  ),
  lost: gauge(
    'causeway_cluster_lost_records',
    'Records in the report of the last forced promotion of the Kafka cluster; without a report, or while nothing is known of the loss, there is no value.',
    ['cluster'],
  ),
};

export interface ClusterSources {
  clusters: Clusters;
  statuses: ClusterStatuses;
}

export function addClusterMetrics(exposition: Exposition, sources: ClusterSources): void {
  const { clusters, statuses } = sources;
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
  const names = (): string[] => (clusters.settings?.members ?? []).map(({ name }) => name);
  exposition.add(CLUSTER_METRICS.mode, (sample) => {
    for (const cluster of names()) {
      const known = statuses.modeOf(cluster);
      for (const mode of CLUSTER_MODES) sample({ cluster, mode }, mode === known ? 1 : 0);
    }
  });
  exposition.add(CLUSTER_METRICS.measured, (sample) => {
    for (const { from, to, isMeasured } of replications(names(), sources)) sample({ from, to }, isMeasured ? 1 : 0);
  });
  exposition.add(CLUSTER_METRICS.lagRecords, (sample) => {
    for (const { from, to, records, isMeasured } of replications(names(), sources)) {
      if (isMeasured) sample({ from, to }, records);
    }
  });
  exposition.add(CLUSTER_METRICS.lagSeconds, (sample) => {
    for (const { from, to, seconds, isMeasured } of replications(names(), sources)) {
      if (isMeasured) sample({ from, to }, seconds);
    }
  });
  exposition.add(CLUSTER_METRICS.lost, (sample) => {
    for (const cluster of names()) {
      const report = statuses.of(cluster).status?.reports[0];
      if (report !== undefined && isLossKnown(report)) sample({ cluster }, countLost(report.ranges));
    }
  });
}

/** From the active cluster to each other one, as bridges of the other one report it. */
function replications(
  names: readonly string[],
  { clusters, statuses }: ClusterSources,
): (ReplicationStatus & { isMeasured: boolean })[] {
  return names.flatMap((name) => {
    const { status, error } = statuses.of(name);
    const replication = status?.replication;
    if (replication === null || replication === undefined) return [];
    if (replication.from !== clusters.active || replication.to !== name) return [];
    return [{ ...replication, isMeasured: error === undefined && replication.problem === null }];
  });
}

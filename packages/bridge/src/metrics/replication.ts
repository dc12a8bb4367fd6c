/** Metrics of the replication between two Kafka clusters: what would be lost with the active one. */
import { gauge, histogram } from '@causeway/metrics/declaration.ts';
import type { Distribution } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { ReplicationStatus } from '@causeway/protocol/clusters.ts';

export const REPLICATION_METRICS = {
  records: gauge(
    'causeway_bridge_replication_lag_records',
    'Records of the active Kafka cluster that the standby does not have: what would be lost with the active one (recovery point).',
    ['from', 'to'],
  ),
  seconds: gauge(
    'causeway_bridge_replication_lag_seconds',
    'For how long the standby has not had everything that the active Kafka cluster has; 0 while it has.',
    ['from', 'to'],
  ),
  topicRecords: gauge(
    'causeway_bridge_replication_topic_lag_records',
    'The same by topic: those that are behind, the furthest first, at most 100.',
    ['topic'],
  ),
  topicSeconds: gauge(
    'causeway_bridge_replication_topic_lag_seconds',
    'The same by topic: those that are behind, the furthest first, at most 100.',
    ['topic'],
  ),
  measuredAgo: gauge(
    'causeway_bridge_replication_measured_seconds_ago',
    'Age of the last measurement of the replication; it grows while one of the two clusters cannot be reached.',
  ),
  acknowledgementDuration: histogram(
    'causeway_bridge_replication_acknowledgement_duration_seconds',
    'How long produced records took from the response of Kafka until the other cluster had them (acks=replicated).',
  ),
};

export interface ReplicationSources {
  /** `undefined` without a second Kafka cluster. */
  replication: { status(): ReplicationStatus | undefined } | undefined;
  /** The same. */
  replicatedAcks: { readonly durations: Distribution } | undefined;
}

export function addReplicationMetrics(
  exposition: Exposition,
  { replication, replicatedAcks }: ReplicationSources,
): void {
  exposition.add(REPLICATION_METRICS.records, (sample) => {
    const status = replication?.status();
    if (status !== undefined) sample({ from: status.from, to: status.to }, status.records);
  });
  exposition.add(REPLICATION_METRICS.seconds, (sample) => {
    const status = replication?.status();
    if (status !== undefined) sample({ from: status.from, to: status.to }, status.seconds);
  });
  exposition.add(REPLICATION_METRICS.topicRecords, (sample) => {
    for (const { topic, records } of replication?.status()?.topics ?? []) sample({ topic }, records);
  });
  exposition.add(REPLICATION_METRICS.topicSeconds, (sample) => {
    for (const { topic, seconds } of replication?.status()?.topics ?? []) sample({ topic }, seconds);
  });
  exposition.add(REPLICATION_METRICS.measuredAgo, (sample) => {
    const agoMs = replication?.status()?.measuredAgoMs;
    if (agoMs !== null && agoMs !== undefined) sample({}, agoMs / 1000);
  });
  exposition.addDistributions(REPLICATION_METRICS.acknowledgementDuration, (sample) => {
    if (replicatedAcks !== undefined) sample({}, replicatedAcks.durations);
  });
}

/** Describes the Kafka clusters: which one is active, since when and why, and what replication lacks. */
import type { KafkaCluster, KafkaClusters } from '@causeway/protocol/admin/model.ts';
import type { ClusterStatuses } from '../clusters/cluster-statuses.ts';
import { isPromotable } from '../clusters/cluster-view.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Registry } from '../regions/registry.ts';

export interface ClusterSources {
  registry: Registry;
  clusters: Clusters;
  statuses: ClusterStatuses;
}

/** Topics of the replication; a bridge reports more of them. */
const MOST_TOPICS = 10;

/** `null` without the section `clusters`. */
export function describeClusters({ registry, clusters, statuses }: ClusterSources): KafkaClusters | null {
  const { settings, promotion } = clusters;
  if (settings === undefined || promotion === undefined) return null;
  const { snapshot } = registry;
  const active = promotion.cluster;
  const members = settings.members.map(({ name, regions }): KafkaCluster => {
    const { status, at, error } = statuses.of(name);
    const own = snapshot.regions.filter((region) => regions.includes(region.name));
    const replication = status?.replication ?? null;
    return {
      name,
      regions: [...regions],
      isActive: name === active,
      canServe: isPromotable(
        own.map(({ standsBy, usableWeight, targets }) => ({ standsBy, isUsable: usableWeight > 0, targets })),
      ),
      mode: statuses.modeOf(name) ?? 'unknown',
      promoted: status?.promoted ?? null,
      replication: replication === null ? null : { ...replication, topics: replication.topics.slice(0, MOST_TOPICS) },
      report: status?.reports[0] ?? null,
      reportedAt: at?.toISOString() ?? null,
      problem: error ?? null,
    };
  });
  const { status } = statuses.of(active);
  // Before a bridge of the active cluster says it, what this gateway itself has seen.
  const isCurrent = status?.promotion?.number === promotion.number && status.promotion.cluster === active;
  const promoted = isCurrent ? status.promoted : null;
  const { at, reason } = clusters.since;
  return {
    active,
    promotion: promotion.number,
    since: promoted?.at ?? (clusters.promotionCount > 0 ? at.toISOString() : null),
    reason: promoted?.reason ?? reason,
    by: promoted?.by ?? null,
    isReplicationEnded: isCurrent ? status.isReplicationEnded : null,
    promoteAfterMs: settings.promoteAfterMs ?? null,
    awaited: snapshot.clusters?.awaited ?? null,
    waitingCount: clusters.waits.size,
    members,
  };
}

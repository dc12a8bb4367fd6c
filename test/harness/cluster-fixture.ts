/** Kafka clusters for the admin fixture: regions east and west, each over a Kafka of its own. */
import type { KafkaCluster, KafkaClusters, System } from '@causeway/protocol/admin/model.ts';
import type { LossReport, ReplicationStatus } from '@causeway/protocol/clusters.ts';

function secondsBefore(at: string, seconds: number): string {
  return new Date(Date.parse(at) - seconds * 1_000).toISOString();
}

export function replicationOf(from: string, to: string, change: Partial<ReplicationStatus> = {}): ReplicationStatus {
  return { from, to, problem: null, measuredAgoMs: 400, records: 0, seconds: 0, topics: [], ...change };
}

/** Two clusters with their regions, of which the first one has been active for an hour, and the other one lacks a little. */
export function addClusters(system: System): { clusters: KafkaClusters; east: KafkaCluster; west: KafkaCluster } {
  const memberOf = (name: string): KafkaCluster => ({
    name,
    regions: system.regions.filter((region) => region.name === name).map((region) => region.name),
    isActive: name === 'east',
    canServe: true,
    mode: name === 'east' ? 'active' : 'standby',
    promoted: null,
    replication: replicationOf('east', 'west', {
      records: 12,
      seconds: 0.44,
      topics: [
        { topic: 'orders', records: 10, seconds: 0.44 },
        { topic: 'payments', records: 2, seconds: 0.2 },
      ],
    }),
    report: null,
    reportedAt: system.at,
    problem: null,
  });
  const [east, west] = [memberOf('east'), memberOf('west')];
  const since = secondsBefore(system.at, 3_600);
  east.promoted = { kind: 'initial', at: since, by: 'gateway tier1', reason: 'clusters.active of its configuration' };
  const clusters: KafkaClusters = {
    active: 'east',
    promotion: 1,
    since,
    reason: east.promoted.reason,
    by: east.promoted.by,
    isReplicationEnded: true,
    promoteAfterMs: 5_000,
    awaited: null,
    waitingCount: 0,
    members: [east, west],
  };
  system.clusters = clusters;
  for (const region of system.regions) {
    region.cluster = region.name;
    stand(region, region.name !== 'east');
  }
  return { clusters, east, west };
}

function stand(region: System['regions'][number], standsBy: boolean): void {
  const reason = standsBy ? 'its Kafka cluster stands by' : 'probes and requests succeed';
  Object.assign(region, {
    standsBy,
    weight: standsBy ? 0 : region.configuredWeight,
    shareRatio: standsBy ? 0 : 1,
    reason,
  });
}

/** East died with its Kafka 40 seconds ago, and west was promoted by force. `hasReturned`: east is back, and fenced. */
export function loseEast(
  system: System,
  { clusters, east, west }: ReturnType<typeof addClusters>,
  { hasReturned = false }: { hasReturned?: boolean } = {},
): LossReport {
  const at = secondsBefore(system.at, 40);
  const report: LossReport = {
    promotion: { number: 2, cluster: 'west' },
    lost: 'east',
    at,
    endsAgeMs: 5_300,
    isFinal: false,
    ranges: [
      { topic: 'orders', partition: 0, from: 1_200_341, to: 1_200_349, records: 8 },
      { topic: 'orders', partition: 2, from: 1_199_870, to: 1_199_872, records: 2 },
      { topic: 'payments', partition: 1, from: 90_211, to: 90_213, records: 2 },
    ],
  };
  const promoted = {
    kind: 'forced' as const,
    at,
    by: 'gateway tier1',
    reason: 'no region of cluster east has had a healthy target for 5000 ms',
  };
  Object.assign(clusters, { active: 'west', promotion: 2, since: at, by: promoted.by, reason: promoted.reason });
  Object.assign(west, { isActive: true, mode: 'active', promoted, report });
  west.replication = replicationOf('west', 'east', { problem: 'Kafka does not respond', measuredAgoMs: null });
  Object.assign(east, { isActive: false, replication: null });
  if (hasReturned) {
    Object.assign(east, { mode: 'fenced', canServe: true, problem: null, reportedAt: system.at });
    // It knows the report from the other one's log.
    east.report = { ...report };
    Object.assign(report, { isFinal: true });
  } else Object.assign(east, { canServe: false, problem: 'none of its targets is available', reportedAt: at });
  for (const region of system.regions) stand(region, region.name === 'east');
  return report;
}

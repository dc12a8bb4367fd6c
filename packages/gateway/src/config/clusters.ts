/** The section `clusters`: which regions speak to which Kafka cluster, with the checks that a schema cannot express. */
import { Entry, type Static, Type } from '@causeway/config/schema.ts';
import { CLUSTER_NAME_PATTERN } from '@causeway/protocol/clusters.ts';

/** As in bridges' `kafka.cluster`. */
const ClusterName = (description: string) =>
  Type.String({ description, examples: ['east'], pattern: `^${CLUSTER_NAME_PATTERN}$` });

const MemberConfig = Entry(
  {
    name: ClusterName('Its name, as the bridges of its regions have it in kafka.cluster.'),
    regions: Type.Array(Type.String(), {
      description:
        'The regions whose bridges speak to it. Each region of this file belongs to one cluster; none: this gateway reaches the cluster through no region.',
      examples: [['east']],
    }),
  },
  { description: 'A Kafka cluster.' },
);

export const ClustersSection = Entry(
  {
    active: ClusterName(
      'The cluster that serves clients as long as no promotion is known. Bridges keep promotions in Kafka, and gateways follow the last one, whatever stands here. A change that is reloaded promotes the cluster, as an operator would.',
    ),
    promoteAfterMs: Type.Optional(
      Type.Integer({
        description:
          'Once no region of the active cluster has had a healthy target for this long, in milliseconds, the gateway promotes the first other cluster of members that can serve. What was not replicated by then is lost. Without this key only operators promote.',
        examples: [5_000],
        minimum: 100,
        maximum: 86_400_000,
      }),
    ),
    members: Type.Array(MemberConfig, {
      description: 'All clusters. The order is that in which they are promoted.',
      minItems: 2,
    }),
  },
  {
    description:
      'Several Kafka clusters, of which one serves clients and the others stand by, filled by replication (docs/disaster-recovery.md). Requests go to the regions of the active cluster; those that arrive while none is active wait. Absent: all regions speak to one Kafka.',
    examples: [
      {
        active: 'east',
        promoteAfterMs: 5_000,
        members: [
          { name: 'east', regions: ['east'] },
          { name: 'west', regions: ['west'] },
        ],
      },
    ],
  },
);

export type ClustersSection = Static<typeof ClustersSection>;

type Finding = { path: (string | number)[]; reason: string };

/** Finds problems of the section. */
export function checkClusters({
  clusters,
  regions,
}: {
  clusters?: ClustersSection;
  regions: readonly { name: string }[];
}): Finding[] {
  if (clusters === undefined) return [];
  const { active, members } = clusters;
  const findings: Finding[] = [];
  const names = members.map(({ name }) => name);
  const known = new Set(regions.map(({ name }) => name));
  /** The cluster of each region. */
  const placed = new Map<string, string>();
  members.forEach((member, index) => {
    if (names.indexOf(member.name) !== index) {
      findings.push({ path: ['clusters', 'members', index, 'name'], reason: `duplicate cluster ${member.name}` });
    }
    member.regions.forEach((region, regionIndex) => {
      const path = ['clusters', 'members', index, 'regions', regionIndex];
      const other = placed.get(region);
      if (!known.has(region)) {
        const reason = `there is no region ${region} under regions (known: ${[...known].join(', ')})`;
        findings.push({ path, reason });
      } else if (other !== undefined) {
        findings.push({ path, reason: `region ${region} belongs to cluster ${other} already` });
      }
      placed.set(region, member.name);
    });
  });
  if (!names.includes(active)) {
    const reason = `there is no cluster ${active} under clusters.members (known: ${names.join(', ')})`;
    findings.push({ path: ['clusters', 'active'], reason });
  }
  for (const region of known) {
    if (placed.has(region)) continue;
    const reason = `region ${region} is missing: write to which cluster its bridges speak`;
    findings.push({ path: ['clusters', 'members'], reason });
  }
  return findings;
}

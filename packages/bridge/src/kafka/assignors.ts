/** Who of a group reads which partitions: the assignors of Kafka's Java clients, as pure functions. */
import type { TopicPartition } from '../records.ts';

/** Names on the wire (`partition.assignment.strategy`), preferred first. */
export const ASSIGNORS = ['range', 'roundrobin'] as const;
export type Assignor = (typeof ASSIGNORS)[number];

export interface GroupMember {
  memberId: string;
  /** `group.instance.id`. */
  instanceId: string | undefined;
  topics: readonly string[];
}

/** Partitions by member id; every member has an entry. */
export type Assignment = Map<string, TopicPartition[]>;

/** Spreads the partitions of all topics that somebody wants. Topics without a count do not exist. */
export function assign(
  assignor: Assignor,
  members: readonly GroupMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignment {
  return assignor === 'range' ? assignRange(members, partitionCounts) : assignRoundRobin(members, partitionCounts);
}

/** Kafka's `RangeAssignor`: of each topic, a run of partitions for each member, the first ones one longer. */
function assignRange(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Assignment {
  const assignment = emptyAssignment(members);
  for (const topic of topicsOf(members)) {
    const subscribers = inOrder(members).filter(({ topics }) => topics.includes(topic));
    const partitionCount = partitionCounts.get(topic) ?? 0;
    const share = Math.floor(partitionCount / subscribers.length);
    const longerCount = partitionCount % subscribers.length;
    let next = 0;
    for (const [index, { memberId }] of subscribers.entries()) {
      const end = next + share + (index < longerCount ? 1 : 0);
      for (; next < end; next += 1) assignment.get(memberId)?.push({ topic, partition: next });
    }
  }
  return assignment;
}

/** Kafka's `RoundRobinAssignor`: all partitions in turn, members that do not want the topic passed over. */
function assignRoundRobin(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Assignment {
  const assignment = emptyAssignment(members);
  const ordered = inOrder(members);
  let turn = 0;
  for (const topic of topicsOf(members)) {
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition += 1) {
      while (ordered[turn % ordered.length]?.topics.includes(topic) === false) turn += 1;
      assignment.get(ordered[turn % ordered.length]?.memberId ?? '')?.push({ topic, partition });
      turn += 1;
    }
  }
  return assignment;
}

function emptyAssignment(members: readonly GroupMember[]): Assignment {
  return new Map(members.map(({ memberId }) => [memberId, []]));
}

function topicsOf(members: readonly GroupMember[]): string[] {
  return [...new Set(members.flatMap(({ topics }) => topics))].sort();
}

/** Static members first, by instance id, so that a restart changes nothing; then the others by member id. */
function inOrder(members: readonly GroupMember[]): GroupMember[] {
  return [...members].sort((a, b) => {
    if (a.instanceId !== undefined && b.instanceId !== undefined) return compare(a.instanceId, b.instanceId);
    if (a.instanceId !== undefined) return -1;
    if (b.instanceId !== undefined) return 1;
    return compare(a.memberId, b.memberId);
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

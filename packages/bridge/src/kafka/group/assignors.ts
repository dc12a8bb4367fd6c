/** Assigns partitions to the members of a group: the assignors of Kafka's Java clients, as pure functions. */
import type { TopicPartition } from '../../records.ts';

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

/** Assigns the partitions of all topics that a member subscribes to. Topics without a count do not exist. */
export function assign(
  assignor: Assignor,
  members: readonly GroupMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignment {
  return assignor === 'range' ? assignRange(members, partitionCounts) : assignRoundRobin(members, partitionCounts);
}

/** Kafka's `RangeAssignor`: of each topic, each member gets a run of partitions, and the first members one more. */
function assignRange(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Assignment {
  const assignment = emptyAssignment(members);
  const ordered = inOrder(members);
  for (const [topic, subscribers] of subscribersOf(ordered)) {
    const partitionCount = partitionCounts.get(topic) ?? 0;
    const share = Math.floor(partitionCount / subscribers.length);
    const longerCount = partitionCount % subscribers.length;
    // Later members get no partition.
    const readers = share === 0 ? subscribers.slice(0, longerCount) : subscribers;
    let next = 0;
    for (const [index, place] of readers.entries()) {
      const end = next + share + (index < longerCount ? 1 : 0);
      const assigned = assignment.get(ordered[place]?.memberId ?? '');
      for (; next < end; next += 1) assigned?.push({ topic, partition: next });
    }
  }
  return assignment;
}

/** Kafka's `RoundRobinAssignor`: all partitions in turn, skipping members that do not subscribe to the topic. */
function assignRoundRobin(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Assignment {
  const assignment = emptyAssignment(members);
  const ordered = inOrder(members);
  let turn = 0;
  for (const [topic, subscribers] of subscribersOf(ordered)) {
    const partitionCount = partitionCounts.get(topic) ?? 0;
    if (partitionCount === 0) continue;
    const first = subscribers.findIndex((place) => place >= turn);
    let next = first === -1 ? 0 : first;
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const place = subscribers[next] ?? 0;
      assignment.get(ordered[place]?.memberId ?? '')?.push({ topic, partition });
      turn = (place + 1) % ordered.length;
      next = (next + 1) % subscribers.length;
    }
  }
  return assignment;
}

/** By topic, in alphabetical order: the places in `ordered` of its subscribers, ascending. Linear in all names. */
function subscribersOf(ordered: readonly GroupMember[]): [topic: string, places: number[]][] {
  const byTopic = new Map<string, number[]>();
  for (const [place, { topics }] of ordered.entries()) {
    for (const topic of topics) {
      const places = byTopic.get(topic);
      if (places === undefined) byTopic.set(topic, [place]);
      else if (places.at(-1) !== place) places.push(place);
    }
  }
  return [...byTopic].sort(([a], [b]) => compare(a, b));
}

function emptyAssignment(members: readonly GroupMember[]): Assignment {
  return new Map(members.map(({ memberId }) => [memberId, []]));
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

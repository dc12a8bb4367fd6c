/**
 * The leader of a consumer group: it assigns partitions to members, and watches the topics of all members. A group of the classic
 * protocol does not notice new topics and partitions by itself.
 */
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  describeGroupsV5,
  encodeConsumerProtocolAssignment,
  type joinGroupV9,
  type syncGroupV5,
} from '@platformatic/kafka';
import type { Cluster } from '../client/cluster.ts';
import { backoffMs, type Limits } from '../client/limits.ts';
import { type Assignor, assign, type GroupMember } from './assignors.ts';
import type { GroupCoordinator } from './coordinator.ts';

/** Version of the subscription and assignment inside: eager members need no more. */
export const CONSUMER_PROTOCOL_VERSION = 0;

export interface TopicWatchOptions {
  intervalMs: number;
  /** Of one check. */
  limits: () => Limits;
  /** Topics or partitions were added or removed: the group must rejoin. */
  onChanged: () => void;
}

/** By then, a topic that Kafka creates for a subscription usually exists. */
const FIRST_LOOK_MS = 200;

/** Of one generation. */
export class GroupLeader {
  readonly #cluster: Cluster;
  readonly #coordinator: GroupCoordinator;
  readonly #assignor: Assignor;
  readonly #members: readonly GroupMember[];
  /** Of the whole group. */
  readonly #topics: readonly string[];
  /** The counts that the assignment was made from; `undefined` if an earlier leader made it. */
  #partitionCounts: ReadonlyMap<string, number> | undefined;
  /** Whether a topic was missing at the last check: Kafka may be creating it. */
  #isTopicMissing = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `joined`: the coordinator's response to the leader's join. */
  constructor(
    cluster: Cluster,
    coordinator: GroupCoordinator,
    { members, protocolName }: Pick<joinGroupV9.JoinGroupResponse, 'members' | 'protocolName'>,
  ) {
    this.#cluster = cluster;
    this.#coordinator = coordinator;
    this.#assignor = protocolName as Assignor;
    this.#members = members.map(({ memberId, groupInstanceId, metadata }) => ({
      memberId,
      instanceId: groupInstanceId ?? undefined,
      topics: decodeConsumerProtocolSubscription(metadata).topics,
    }));
    this.#topics = [...new Set(this.#members.flatMap(({ topics }) => topics))];
  }

  /** The assignment, which the coordinator sends to the members. */
  async assign(limits: Limits): Promise<syncGroupV5.SyncGroupRequestAssignment[]> {
    this.#partitionCounts = await this.#countPartitions(limits, 0);
    return [...assign(this.#assignor, this.#members, this.#partitionCounts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeConsumerProtocolAssignment({
        version: CONSUMER_PROTOCOL_VERSION,
        assignedPartitions: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, entries]) => ({
          topic,
          partitions: entries.map(({ partition }) => partition),
        })),
      }),
    }));
  }

  /** Checks the topics repeatedly, until {@link close}. */
  watch(options: TopicWatchOptions): void {
    this.#scheduleLook(options, 0);
  }

  /** `count`: the number of earlier checks. The first ones come soon if a topic is missing. */
  #scheduleLook(options: TopicWatchOptions, count: number): void {
    const { intervalMs } = options;
    const pauseMs = this.#isTopicMissing
      ? backoffMs(count, { minMs: Math.min(FIRST_LOOK_MS, intervalMs), maxMs: intervalMs })
      : intervalMs;
    this.#timer = setTimeout(async () => {
      await this.#check(options);
      if (!this.#isClosed) this.#scheduleLook(options, count + 1);
    }, pauseMs);
  }

  /** Ends the leadership. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #check({ intervalMs, limits, onChanged }: TopicWatchOptions): Promise<void> {
    try {
      const ownLimits = limits();
      const counts = await this.#countPartitions(ownLimits, intervalMs / 2);
      const before = this.#partitionCounts ?? (await this.#countAssigned(ownLimits));
      const isSame = counts.size === before.size && [...counts].every(([topic, count]) => before.get(topic) === count);
      if (isSame) this.#partitionCounts = counts;
      if (!isSame && !this.#isClosed) onChanged();
    } catch {
      // Checked again after the interval.
    }
  }

  /** The number of assigned partitions by topic: the counts behind an assignment that an earlier leader made. */
  async #countAssigned(limits: Limits): Promise<Map<string, number>> {
    const { group } = this.#coordinator;
    const { groups } = await this.#coordinator.send(
      (connection) => describeGroupsV5.api.async(connection, [group], false),
      limits,
    );
    const counts = new Map<string, number>();
    for (const { memberAssignment } of groups[0]?.members ?? []) {
      if (memberAssignment.length === 0) continue;
      for (const { topic, partitions } of decodeConsumerProtocolAssignment(memberAssignment).assignedPartitions) {
        counts.set(topic, (counts.get(topic) ?? 0) + partitions.length);
      }
    }
    return counts;
  }

  async #countPartitions(limits: Limits, maxAgeMs: number): Promise<Map<string, number>> {
    const answers = await this.#cluster.topics(this.#topics, limits, { maxAgeMs });
    const counts = new Map<string, number>();
    for (const [name, answer] of answers) if ('topic' in answer) counts.set(name, answer.topic.partitions.length);
    this.#isTopicMissing = counts.size < this.#topics.length;
    return counts;
  }
}

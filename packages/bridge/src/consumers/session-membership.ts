/** The membership of a session in its group, with the settings of this bridge. */
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { GroupCoordinator } from '../kafka/group/coordinator.ts';
import { Membership } from '../kafka/group/membership.ts';
import type { PreparedJoin } from '../kafka/group/prepared-join.ts';
import type { Ownership } from '../ownership/ownership.ts';
import { groupInstanceId, type SessionIdentity } from '../ownership/session-identity.ts';
import type { TopicPartition } from '../records.ts';

/** How a session reacts when its client or its group changes the partitions. */
export interface SubscriptionEvents {
  /** Partitions may go now: the last chance to commit delivered records. */
  onRevoking: (limits: Limits) => Promise<void>;
  /** Reads these partitions from now on, and no others. */
  onAssigned: (partitions: readonly TopicPartition[]) => void;
  /** A poll that waits looks again. */
  onChanged: () => void;
}

export interface SessionMembershipDependencies {
  identity: SessionIdentity;
  cluster: Cluster;
  coordinator: GroupCoordinator;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
  /** Until the session's next heartbeat. */
  heartbeatPauseMs: () => number;
  prepared: PreparedJoin | undefined;
  ownership: Ownership;
  events: SubscriptionEvents;
}

/** How long a commit at a rebalance may take; the group waits for it. */
const REVOKING_TIMEOUT_MS = 3000;

/** Has not joined yet. Topics of a pattern exist: none is created. */
export function createMembership(
  dependencies: SessionMembershipDependencies,
  topics: readonly string[],
  { isPattern }: { isPattern: boolean },
): Membership {
  const { identity, cluster, coordinator, kafka, consumers, heartbeatPauseMs, prepared, ownership, events } =
    dependencies;
  const options = {
    clientId: identity.name,
    instanceId: groupInstanceId(identity),
    sessionTimeoutMs: kafka.sessionTimeoutMs,
    rebalanceTimeoutMs: kafka.rebalanceTimeoutMs,
    get heartbeatIntervalMs(): number {
      return heartbeatPauseMs();
    },
    requestTimeoutMs: kafka.requestTimeoutMs,
    topicRefreshMs: consumers.topicRefreshMs,
    allowAutoTopicCreation: consumers.allowAutoTopicCreation && !isPattern,
    prepared,
  };
  return new Membership(cluster, coordinator, topics, options, {
    onRevoking: async () => {
      await events.onRevoking(within(REVOKING_TIMEOUT_MS));
      events.onChanged();
    },
    onAssigned: events.onAssigned,
    onForgotten: () => events.onAssigned([]),
    onRejoining: (limits) => ownership.confirm(limits),
    onFenced: () => ownership.onReplaced(),
  });
}

/** The requests of a group's member, by the classic protocol with a static identity (KIP-345). */
import {
  type ConnectionPool,
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  syncGroupV5,
} from '@platformatic/kafka';
import type { TopicPartition } from '../../records.ts';
import type { Limits } from '../client/limits.ts';
import { ASSIGNORS } from './assignors.ts';
import type { GroupCoordinator } from './coordinator.ts';
import { CONSUMER_PROTOCOL_VERSION } from './group-leader.ts';

const PROTOCOL_TYPE = 'consumer';

export interface MemberIdentity {
  /** `group.instance.id`. */
  instanceId: string;
  /** Empty until Kafka gives one. */
  memberId: string;
}

export interface JoinRequest extends MemberIdentity {
  topics: readonly string[];
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
}

/** What a join and its sync go over: the coordinator holds both until other members have come. */
export interface JoinConnection {
  pool: ConnectionPool;
  limits: Limits;
}

/** Errors of all requests: as the library has them. */
export async function sendJoin(
  coordinator: GroupCoordinator,
  { topics, sessionTimeoutMs, rebalanceTimeoutMs, memberId, instanceId }: JoinRequest,
  { pool, limits }: JoinConnection,
): Promise<joinGroupV9.JoinGroupResponse> {
  const metadata = encodeConsumerProtocolSubscription({ version: CONSUMER_PROTOCOL_VERSION, topics: [...topics] });
  const protocols = ASSIGNORS.map((name) => ({ name, metadata }));
  return await coordinator.sendAndWait(
    (connection) =>
      joinGroupV9.api.async(
        connection,
        coordinator.group,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId,
        instanceId,
        PROTOCOL_TYPE,
        protocols,
        null,
      ),
    limits,
    pool,
  );
}

/** Returns the partitions of the member. `assignments`: from the leader alone. */
export async function sendSync(
  coordinator: GroupCoordinator,
  joined: joinGroupV9.JoinGroupResponse,
  request: { instanceId: string; assignments: readonly syncGroupV5.SyncGroupRequestAssignment[] },
  { pool, limits }: JoinConnection,
): Promise<TopicPartition[]> {
  const { assignment } = await coordinator.sendAndWait(
    (connection) =>
      syncGroupV5.api.async(
        connection,
        coordinator.group,
        joined.generationId,
        joined.memberId,
        request.instanceId,
        PROTOCOL_TYPE,
        joined.protocolName,
        [...request.assignments],
      ),
    limits,
    pool,
  );
  return decodeConsumerProtocolAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

export async function sendHeartbeat(
  coordinator: GroupCoordinator,
  { generation, memberId, instanceId }: MemberIdentity & { generation: number },
  limits: Limits,
): Promise<void> {
  await coordinator.send(
    (connection) => heartbeatV4.api.async(connection, coordinator.group, generation, memberId, instanceId),
    limits,
  );
}

/** With the instance id: without it, brokers may keep a static member until its session times out. */
export async function sendLeave(
  coordinator: GroupCoordinator,
  { memberId, instanceId }: MemberIdentity,
  limits: Limits,
): Promise<void> {
  const member = { memberId, groupInstanceId: instanceId, reason: 'the consumer was closed' };
  await coordinator.sendAndStore(
    (connection) => leaveGroupV5.api.async(connection, coordinator.group, [member]),
    limits,
  );
}

/** Brokers and topics as Kafka's metadata describe them: https://kafka.apache.org/protocol#The_Messages_Metadata */
import type { metadataV12 } from '@platformatic/kafka';
import { refusal } from './failure.ts';
import { isInternalTopic } from './internal-topics.ts';
import { type ErrorId, errorIdOf, isForbidden } from './kafka-errors.ts';

type MetadataResponseTopic = metadataV12.MetadataResponseTopic;

export interface Broker {
  host: string;
  port: number;
}

export interface PartitionInfo {
  partition: number;
  /** Node id; -1 without a leader. */
  leader: number;
  replicas: readonly number[];
  inSyncReplicas: readonly number[];
}

export interface TopicInfo {
  name: string;
  /** UUID. */
  id: string;
  isInternal: boolean;
  /** Whether the bridge's principal may write to it; `undefined` until a request names the topic. */
  isWritable: boolean | undefined;
  /** By partition number. */
  partitions: readonly PartitionInfo[];
  fetchedAtMs: number;
}

/** A topic that exists, or why it cannot be used. */
export type TopicAnswer = { topic: TopicInfo } | { errorId: ErrorId };

/** Errors: `kafkaForbidden` when the bridge lacks a right on one of the topics. */
export function throwForbidden(answers: ReadonlyMap<string, TopicAnswer>): void {
  const forbidden = [...answers].flatMap(([name, answer]) =>
    'errorId' in answer && isForbidden(answer.errorId) ? [name] : [],
  );
  if (forbidden.length > 0) throw refusal('TOPIC_AUTHORIZATION_FAILED', { topics: forbidden });
}

export function isGone(raw: MetadataResponseTopic): boolean {
  return errorIdOf(raw.errorCode) === 'UNKNOWN_TOPIC_OR_PARTITION';
}

export function answerOf(raw: MetadataResponseTopic, known: TopicInfo | undefined): TopicAnswer {
  const errorId = errorIdOf(raw.errorCode);
  if (errorId !== undefined) return { errorId };
  return known === undefined ? { errorId: 'UNKNOWN_TOPIC_OR_PARTITION' } : { topic: known };
}

/** Kafka's own topics, and the bridges'. */
export function isInternal({ name, isInternal: isKafkas }: MetadataResponseTopic): boolean {
  return isKafkas || (typeof name === 'string' && isInternalTopic(name));
}

/** `AclOperation.WRITE` in the bit field of authorized operations (KIP-430). */
const WRITE_BIT = 1 << 4;
/** In a response to a request that did not ask for them. */
const OPERATIONS_NOT_ASKED = -(2 ** 31);

export function topicInfo(raw: MetadataResponseTopic, before: TopicInfo | undefined, fetchedAtMs: number): TopicInfo {
  const operations = raw.topicAuthorizedOperations;
  return {
    name: raw.name ?? '',
    id: raw.topicId,
    isInternal: isInternal(raw),
    isWritable: operations === OPERATIONS_NOT_ASKED ? before?.isWritable : (operations & WRITE_BIT) !== 0,
    fetchedAtMs,
    // A partition without a leader has an error of its own, and counts nevertheless.
    partitions: raw.partitions
      .map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
        partition: partitionIndex,
        leader: leaderId,
        replicas: replicaNodes,
        inSyncReplicas: isrNodes,
      }))
      .sort((a, b) => a.partition - b.partition),
  };
}

/** Parses `host:port`. */
export function parseAddress(address: string): Broker {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

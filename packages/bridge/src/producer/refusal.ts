/** Why a record cannot be stored, as far as the bridge knows before it sends the record, and what the client gets. */
import { BridgeError, type BridgeErrorCode, statusOf } from '../errors.ts';
import { subjectText } from '../kafka/client/failure.ts';
import { errorText } from '../kafka/client/kafka-errors.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import type { ProduceResult } from '../records.ts';
import type { Lane } from './lane.ts';
import type { Entry } from './open-requests.ts';

export interface RecordRefusal {
  reason:
    | 'unknownTopic'
    | 'kafkaSilent'
    | 'unknownPartition'
    | 'invalidTopic'
    | 'unauthenticated'
    | 'forbidden'
    | 'tooLarge';
  message: string;
}

/** The code of a record's entry in a response, and the error when the whole request is refused. */
const RESPONSES: Readonly<Record<RecordRefusal['reason'], { entryCode: number; requestCode: BridgeErrorCode }>> = {
  unknownTopic: { entryCode: 404, requestCode: 'unknownTopic' },
  kafkaSilent: { entryCode: 404, requestCode: 'kafkaUnavailable' },
  unknownPartition: { entryCode: 404, requestCode: 'unknownPartition' },
  invalidTopic: { entryCode: 500, requestCode: 'invalidValue' },
  unauthenticated: { entryCode: 401, requestCode: 'unauthenticated' },
  forbidden: { entryCode: 403, requestCode: 'kafkaForbidden' },
  tooLarge: { entryCode: 500, requestCode: 'recordTooLarge' },
};

export interface RecordLimits {
  maxRequestBytes: number;
  maxBlockMs: number;
}

/** Why no record of an existing topic can be stored; `undefined` if records can be. */
export function topicRefusal({ name, isInternal, isWritable }: TopicInfo): RecordRefusal | undefined {
  if (isInternal) return { reason: 'invalidTopic', message: errorText('INVALID_TOPIC_EXCEPTION') };
  if (isWritable !== false) return undefined;
  return { reason: 'forbidden', message: subjectText('TOPIC_AUTHORIZATION_FAILED', { topics: [name] }) };
}

/** Why this record cannot be stored; `undefined` if it can be. */
export function recordRefusal(
  info: TopicInfo,
  { record, bytes }: Pick<Entry, 'record' | 'bytes'>,
  { maxRequestBytes, maxBlockMs }: RecordLimits,
): RecordRefusal | undefined {
  if (info.isInternal) return topicRefusal(info);
  if (bytes > maxRequestBytes) {
    const message = `The message is ${bytes} bytes when serialized which is larger than ${maxRequestBytes}, which is the value of the max.request.size configuration.`;
    return { reason: 'tooLarge', message };
  }
  const { partition } = record;
  const partitionCount = info.partitions.length;
  if (partition !== undefined && partition >= partitionCount) {
    const message = `Partition ${partition} of topic ${info.name} with partition count ${partitionCount} is not present in metadata after ${maxBlockMs} ms.`;
    return { reason: 'unknownPartition', message };
  }
  return undefined;
}

/** Why the records cannot all be stored. `index`: of the record at fault, unless it is the topic. */
export function firstRefusal(
  info: TopicInfo,
  entries: readonly Pick<Entry, 'record' | 'bytes' | 'index'>[],
  limits: RecordLimits,
): { refusal: RecordRefusal; index: number | undefined } | undefined {
  const ofTopic = topicRefusal(info);
  if (ofTopic !== undefined) return { refusal: ofTopic, index: undefined };
  for (const entry of entries) {
    const refusal = recordRefusal(info, entry, limits);
    if (refusal !== undefined) return { refusal, index: entry.index };
  }
  return undefined;
}

/** The entry of one refused record. */
export function resultOf({ reason, message }: RecordRefusal): { errorCode: number; message: string } {
  return { errorCode: RESPONSES[reason].entryCode, message };
}

/** The error of a request that is refused as a whole. `index`: of the record at fault among several. */
export function refusedRequest({ reason, message }: RecordRefusal, index?: number): BridgeError {
  const place = index === undefined ? '' : ` (record ${index}; none of the request is stored)`;
  return new BridgeError(RESPONSES[reason].requestCode, { message: `${message}${place}` });
}

export interface Expired {
  /** Records that expire together. */
  count: number;
  deliveryTimeoutMs: number;
  isTopicKnown: boolean;
}

/** The entry of an expired record, with the text of Kafka's producer. */
export function expiredResult(
  { topic, partition, lastRefusal }: Pick<Lane, 'topic' | 'partition' | 'lastRefusal'>,
  { count, deliveryTimeoutMs, isTopicKnown }: Expired,
): ProduceResult {
  if (!isTopicKnown) {
    return { errorCode: statusOf('unknownTopic'), message: errorText('UNKNOWN_TOPIC_OR_PARTITION') };
  }
  const attempt = lastRefusal === undefined ? '' : `; the last attempt: ${lastRefusal}`;
  return {
    errorCode: statusOf('kafkaRefused'),
    message: `Expiring ${count} record(s) for ${topic}-${partition}:${deliveryTimeoutMs} ms has passed since batch creation${attempt}`,
  };
}

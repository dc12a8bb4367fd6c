/** The topic of the session log: created with the settings that the log relies on, and checked if it exists. */
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { createTopic } from '../kafka/client/create-topic.ts';
import { errorText } from '../kafka/client/kafka-errors.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import { countBrokers, topicSettings } from '../kafka/client/topic-settings.ts';

/** The same in all bridges: the partition of a session follows from it, so it can never change. */
export const SESSION_PARTITION_COUNT = 16;
/** How long a tombstone is kept: a bridge that was away for less time has read it. */
export const DELETE_RETENTION_MS = 86_400_000;

const MOST_REPLICAS = 3;
const CONFIGS: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'delete.retention.ms': String(DELETE_RETENTION_MS),
  // Only closed segments are compacted. Small ones keep what a starting bridge reads small.
  'segment.bytes': '16777216',
  'segment.ms': '600000',
  'min.cleanable.dirty.ratio': '0.1',
  'compression.type': 'producer',
  // Brokers refuse records of a clock that is an hour ahead. No decision uses the time of a record.
  'message.timestamp.type': 'LogAppendTime',
};

export interface SessionTopicOptions {
  topic: string;
  partitionCount: number;
  limits: Limits;
}

/**
 * Creates the topic if it does not exist, and checks it.
 * Errors: `kafkaRefused` for a topic that cannot be used or created, with the reason; `kafkaUnavailable`.
 */
export async function ensureSessionTopic(cluster: Cluster, options: SessionTopicOptions): Promise<TopicInfo> {
  const { topic, partitionCount, limits } = options;
  let found = await find(cluster, topic, limits);
  if (found === undefined) {
    await create(cluster, options);
    found = await find(cluster, topic, limits);
  }
  // It takes a moment until every broker knows it.
  if (found === undefined) throw new BridgeError('kafkaUnavailable', { message: `Topic ${topic} is being created` });
  if (found.partitions.length !== partitionCount) {
    throw new BridgeError('kafkaRefused', {
      message: `Topic ${topic} has ${found.partitions.length} partitions, and bridges rely on ${partitionCount}: delete it, and the first bridge creates it again`,
    });
  }
  await checkSettings(cluster, found, limits);
  return found;
}

async function find(cluster: Cluster, name: string, limits: Limits): Promise<TopicInfo | undefined> {
  const answer = (await cluster.topics([name], limits, { maxAgeMs: 0 })).get(name);
  if (answer === undefined) return undefined;
  if ('topic' in answer) return answer.topic;
  if (answer.errorId === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
  if (answer.errorId === 'LEADER_NOT_AVAILABLE') {
    throw new BridgeError('kafkaUnavailable', { message: `Topic ${name} has no leaders yet` });
  }
  throw new BridgeError('kafkaRefused', { message: `Topic ${name}: ${errorText(answer.errorId)}` });
}

async function create(cluster: Cluster, { topic, partitionCount, limits }: SessionTopicOptions): Promise<void> {
  const replicationFactor = Math.min(MOST_REPLICAS, await countBrokers(cluster, limits));
  // With three copies one broker may be missing, and what was acknowledged is on two.
  const minInSync = replicationFactor === MOST_REPLICAS ? 2 : 1;
  const configs = { ...CONFIGS, 'min.insync.replicas': String(minInSync) };
  const request = { name: topic, partitionCount, replicationFactor, configs };
  const { errorId, message } = await createTopic(cluster, request, limits);
  // Another bridge created it first.
  if (errorId === undefined || errorId === 'TOPIC_ALREADY_EXISTS') return;
  throw new BridgeError('kafkaRefused', { message: `Topic ${topic} cannot be created: ${message}` });
}

/** Without compaction the log forgets sessions, or grows for ever; with too few replicas it accepts no records. */
async function checkSettings(cluster: Cluster, { name, partitions }: TopicInfo, limits: Limits): Promise<void> {
  const settings = await topicSettings(cluster, name, limits);
  const policy = settings.get('cleanup.policy') ?? 'compact';
  if (policy !== 'compact') throw unusable(name, `has cleanup.policy=${policy}, and bridges rely on compact`);
  const minInSync = Number(settings.get('min.insync.replicas') ?? 1);
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  if (minInSync > replicas) {
    throw unusable(name, `has ${replicas} replicas and min.insync.replicas=${minInSync}, and takes no records`);
  }
}

function unusable(topic: string, reason: string): BridgeError {
  return new BridgeError('kafkaRefused', { message: `Topic ${topic} ${reason}` });
}

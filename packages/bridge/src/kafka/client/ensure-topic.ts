/** Topics of the bridges themselves: created with the settings that bridges rely on, and checked if they exist. */
import { BridgeError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { createTopic } from './create-topic.ts';
import { errorText } from './kafka-errors.ts';
import type { Limits } from './limits.ts';
import type { TopicInfo } from './metadata.ts';
import { countBrokers, topicSettings } from './topic-settings.ts';

const MOST_REPLICAS = 3;

export interface OwnTopic {
  topic: string;
  partitionCount: number;
  /** As `cleanup.policy`, with its parts in alphabetical order: an existing topic must have the same. */
  cleanupPolicy: 'compact' | 'compact,delete';
  /** Further settings of a new topic. */
  configs: Readonly<Record<string, string>>;
  /** Why a topic with these settings cannot be used; `undefined` if it can be. */
  faultOf?: (settings: ReadonlyMap<string, string | null | undefined>) => string | undefined;
  limits: Limits;
}

/**
 * Creates the topic if it does not exist, and checks it.
 * Errors: `kafkaRefused` for a topic that cannot be used or created, with the reason; `kafkaUnavailable`.
 */
export async function ensureTopic(cluster: Cluster, options: OwnTopic): Promise<TopicInfo> {
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
  await checkSettings(cluster, found, options);
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

async function create(cluster: Cluster, options: OwnTopic): Promise<void> {
  const { topic, partitionCount, cleanupPolicy, limits } = options;
  const replicationFactor = Math.min(MOST_REPLICAS, await countBrokers(cluster, limits));
  // With three copies one broker may be missing, and what was acknowledged is on two.
  const minInSync = replicationFactor === MOST_REPLICAS ? 2 : 1;
  const configs = { ...options.configs, 'cleanup.policy': cleanupPolicy, 'min.insync.replicas': String(minInSync) };
  const request = { name: topic, partitionCount, replicationFactor, configs };
  const { errorId, message } = await createTopic(cluster, request, limits);
  // Another bridge created it first.
  if (errorId === undefined || errorId === 'TOPIC_ALREADY_EXISTS') return;
  throw new BridgeError('kafkaRefused', { message: `Topic ${topic} cannot be created: ${message}` });
}

/** With another policy the topic forgets what bridges rely on, or grows for ever; with too few replicas it accepts no records. */
async function checkSettings(
  cluster: Cluster,
  { name, partitions }: TopicInfo,
  { cleanupPolicy, faultOf, limits }: OwnTopic,
): Promise<void> {
  const settings = await topicSettings(cluster, name, limits);
  const policy = settings.get('cleanup.policy') ?? cleanupPolicy;
  if (policy.split(',').sort().join(',') !== cleanupPolicy) {
    throw unusable(name, `has cleanup.policy=${policy}, and bridges rely on ${cleanupPolicy}`);
  }
  const minInSync = Number(settings.get('min.insync.replicas') ?? 1);
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  if (minInSync > replicas) {
    throw unusable(name, `has ${replicas} replicas and min.insync.replicas=${minInSync}, and takes no records`);
  }
  const fault = faultOf?.(settings);
  if (fault !== undefined) throw unusable(name, fault);
}

function unusable(topic: string, reason: string): BridgeError {
  return new BridgeError('kafkaRefused', { message: `Topic ${topic} ${reason}` });
}

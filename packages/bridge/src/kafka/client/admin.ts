/** Describes topics and partitions as the REST API shows them, and creates topics. */
import { ConfigResourceTypes, describeConfigsV4 } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';
import type { OffsetRange } from '../../records.ts';
import type { Cluster } from './cluster.ts';
import { createTopic } from './create-topic.ts';
import { javaException, refusal, toBridgeError } from './failure.ts';
import { isInternalTopic } from './internal-topics.ts';
import { kafkaError } from './kafka-errors.ts';
import { type Limits, within } from './limits.ts';
import { listOffsets, type OffsetSpec } from './list-offsets.ts';
import type { PartitionInfo, TopicAnswer, TopicInfo } from './metadata.ts';

/** A topic with every effective setting. */
export interface TopicDescription {
  name: string;
  configs: Record<string, string>;
  partitions: PartitionDescription[];
}

export interface PartitionDescription {
  partition: number;
  leader: number;
  replicas: ReplicaDescription[];
}

export interface ReplicaDescription {
  broker: number;
  leader: boolean;
  in_sync: boolean;
}

export interface TopicToCreate {
  name: string;
  /** -1: the broker's default. */
  partitionCount: number;
  /** -1: the broker's default. */
  replicationFactor: number;
}

export class Admin {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Names of all topics that are not internal. Errors: `kafkaUnavailable`. */
  async list(): Promise<string[]> {
    return await this.#cluster.listTopics(this.#limits());
  }

  /** Errors: `unknownTopic`, `kafkaRefused`, `kafkaUnavailable`. */
  async describe(name: string): Promise<TopicDescription> {
    const limits = this.#limits();
    const topic = await this.#topic(name, limits);
    const configs = await this.#configs(name, limits);
    return { name, configs, partitions: topic.partitions.map(describePartition) };
  }

  /** By number. Errors: as {@link describe}. */
  async partitions(name: string): Promise<PartitionDescription[]> {
    const { partitions } = await this.#topic(name, this.#limits());
    return partitions.map(describePartition);
  }

  /**
   * `undefined` when the topic has no such partition.
   * Errors: `invalidValue` for an illegal name, `unknownTopic`, `kafkaRefused`, `kafkaUnavailable`.
   */
  async offsets(name: string, partition: number): Promise<OffsetRange | undefined> {
    const limits = this.#limits();
    const answer = (await this.#cluster.topics([name], limits, { maxAgeMs: 0 })).get(name);
    if (answer !== undefined && 'errorId' in answer && answer.errorId === 'INVALID_TOPIC_EXCEPTION') {
      throw new BridgeError('invalidValue', { message: javaException(answer.errorId) });
    }
    if (topicOf(name, answer).partitions[partition] === undefined) return undefined;
    const [beginning, end] = await Promise.all([
      this.#offset(name, partition, 'earliest', limits),
      this.#offset(name, partition, 'latest', limits),
    ]);
    return { beginning, end };
  }

  /** Errors: `kafkaRefused` or `kafkaForbidden` with Kafka's text alone, `topicClosed`, `kafkaUnavailable`. */
  async create({ name, partitionCount, replicationFactor }: TopicToCreate): Promise<void> {
    if (name === '') {
      throw new BridgeError('kafkaRefused', {
        message: "The given topic name '' cannot be represented in a request.",
      });
    }
    if (isInternalTopic(name)) {
      throw new BridgeError('topicClosed', { message: `The topic ${name} is internal: clients cannot create it.` });
    }
    const limits = this.#limits();
    const wasThere = await this.#isThere(name, limits);
    const topic = { name, partitionCount, replicationFactor };
    const { errorId, message, attemptCount } = await createTopic(this.#cluster, topic, limits);
    if (errorId === undefined) return;
    // An earlier attempt that was slow, or whose response was lost, has created it.
    if (errorId === 'TOPIC_ALREADY_EXISTS' && attemptCount > 1 && !wasThere) return;
    throw new BridgeError(kafkaError(errorId).bridgeError ?? 'kafkaRefused', { message });
  }

  async #isThere(name: string, limits: Limits): Promise<boolean> {
    const answer = (await this.#cluster.topics([name], limits, { maxAgeMs: 0 })).get(name);
    return answer !== undefined && 'topic' in answer;
  }

  async #offset(topic: string, partition: number, spec: OffsetSpec, limits: Limits): Promise<bigint> {
    try {
      const options = { spec, isolationLevel: 'read_uncommitted', limits } as const;
      const [found] = await listOffsets(this.#cluster, [{ topic, partition }], options);
      if (found === undefined) throw new TypeError('no offset in the answer');
      return found.offset;
    } catch (error) {
      throw toBridgeError(error);
    }
  }

  async #topic(name: string, limits: Limits): Promise<TopicInfo> {
    return topicOf(name, (await this.#cluster.topics([name], limits, { maxAgeMs: 0 })).get(name));
  }

  async #configs(name: string, limits: Limits): Promise<Record<string, string>> {
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: name }];
    const { results } = await this.#cluster.onAnyBroker(
      (connection) => describeConfigsV4.api.async(connection, resources, false, false),
      limits,
    );
    const configs: Record<string, string> = {};
    for (const config of results[0]?.configs ?? [])
      if (typeof config.value === 'string') configs[config.name] = config.value;
    return configs;
  }

  #limits(): Limits {
    return within(this.#cluster.options.requestTimeoutMs);
  }
}

/** Errors: `unknownTopic`, `kafkaForbidden`, `kafkaRefused`. */
function topicOf(name: string, answer: TopicAnswer | undefined): TopicInfo {
  if (answer === undefined) throw new BridgeError('unknownTopic');
  if ('topic' in answer) return answer.topic;
  throw refusal(answer.errorId, { topics: [name] });
}

function describePartition({ partition, leader, replicas, inSyncReplicas }: PartitionInfo): PartitionDescription {
  return {
    partition,
    leader,
    replicas: replicas.map((broker) => ({
      broker,
      leader: broker === leader,
      in_sync: inSyncReplicas.includes(broker),
    })),
  };
}

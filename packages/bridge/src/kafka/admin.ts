/** What there is in the cluster, as the REST API tells it, and new topics. */
import { ConfigResourceTypes, createTopicsV7, describeConfigsV4 } from '@platformatic/kafka';
import { BridgeError } from '../errors.ts';
import type { OffsetRange } from '../records.ts';
import type { Cluster, PartitionInfo, TopicAnswer, TopicInfo } from './cluster.ts';
import { errorIdOf, errorText, javaException, responseIn, toBridgeError } from './failure.ts';
import { type Limits, within } from './limits.ts';
import { listOffsets, type OffsetSpec } from './list-offsets.ts';

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
    const answer = (await this.#cluster.topics([name], limits, 0)).get(name);
    if (answer !== undefined && 'errorId' in answer && answer.errorId === 'INVALID_TOPIC_EXCEPTION') {
      throw new BridgeError('invalidValue', { message: javaException(answer.errorId) });
    }
    if (topicOf(answer).partitions[partition] === undefined) return undefined;
    const [beginning, end] = await Promise.all([
      this.#offset(name, partition, 'earliest', limits),
      this.#offset(name, partition, 'latest', limits),
    ]);
    return { beginning, end };
  }

  /** Errors: `kafkaRefused` with Kafka's text alone, `kafkaUnavailable`. */
  async create({ name, partitionCount, replicationFactor }: TopicToCreate): Promise<void> {
    if (name === '') {
      throw new BridgeError('kafkaRefused', {
        message: "The given topic name '' cannot be represented in a request.",
      });
    }
    const topic = { name, numPartitions: partitionCount, replicationFactor, assignments: [], configs: [] };
    const { requestTimeoutMs } = this.#cluster.options;
    const response = await this.#cluster.onAnyBroker(async (connection) => {
      try {
        return await createTopicsV7.api.async(connection, [topic], requestTimeoutMs, false);
      } catch (error) {
        // A topic that was refused makes the whole answer an error.
        const partial = responseIn<createTopicsV7.CreateTopicsResponse>(error);
        if (partial === undefined) throw error;
        return partial;
      }
    }, this.#limits());
    const { errorCode = 0, errorMessage } = response.topics[0] ?? {};
    const errorId = errorIdOf(errorCode);
    if (errorId !== undefined) throw new BridgeError('kafkaRefused', { message: errorMessage ?? errorText(errorId) });
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
    return topicOf((await this.#cluster.topics([name], limits, 0)).get(name));
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

/** Errors: `unknownTopic`, `kafkaRefused`. */
function topicOf(answer: TopicAnswer | undefined): TopicInfo {
  if (answer === undefined) throw new BridgeError('unknownTopic');
  if ('topic' in answer) return answer.topic;
  if (answer.errorId === 'UNKNOWN_TOPIC_OR_PARTITION') throw new BridgeError('unknownTopic');
  throw new BridgeError('kafkaRefused', { message: javaException(answer.errorId) });
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

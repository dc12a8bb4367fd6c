/** What there is in the cluster, as the REST API tells it. */
import { ConfigResourceTypes, describeConfigsV4 } from '@platformatic/kafka';
import { BridgeError } from '../errors.ts';
import type { Cluster, PartitionInfo, TopicInfo } from './cluster.ts';
import { javaException } from './failure.ts';
import { type Limits, within } from './limits.ts';

/** A topic with every effective setting. */
export interface TopicDescription {
  name: string;
  configs: Record<string, string>;
  partitions: { partition: number; leader: number; replicas: ReplicaDescription[] }[];
}

export interface ReplicaDescription {
  broker: number;
  leader: boolean;
  in_sync: boolean;
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

  async #topic(name: string, limits: Limits): Promise<TopicInfo> {
    const answer = (await this.#cluster.topics([name], limits, 0)).get(name);
    if (answer === undefined) throw new BridgeError('unknownTopic');
    if ('topic' in answer) return answer.topic;
    if (answer.errorId === 'UNKNOWN_TOPIC_OR_PARTITION') throw new BridgeError('unknownTopic');
    throw new BridgeError('kafkaRefused', { message: javaException(answer.errorId) });
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

function describePartition({ partition, leader, replicas, inSyncReplicas }: PartitionInfo) {
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

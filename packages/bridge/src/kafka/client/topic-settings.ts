/** What brokers report of a topic's settings, and of themselves. */
import { ConfigResourceTypes, describeConfigsV4, metadataV12 } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import type { Limits } from './limits.ts';

/** The settings of a topic by name, those of its broker included. Errors: `kafkaUnavailable`. */
export async function topicSettings(
  cluster: Cluster,
  topic: string,
  limits: Limits,
): Promise<Map<string, string | null | undefined>> {
  const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }];
  const { results } = await cluster.onAnyBroker(
    (connection) => describeConfigsV4.api.async(connection, resources, false, false),
    limits,
  );
  return new Map(results[0]?.configs.map(({ name, value }) => [name, value]));
}

/** How many brokers the cluster has now. Errors: `kafkaUnavailable`. */
export async function countBrokers(cluster: Cluster, limits: Limits): Promise<number> {
  const { brokers } = await cluster.onAnyBroker(
    (connection) => metadataV12.api.async(connection, [], false, false),
    limits,
  );
  return brokers.length;
}

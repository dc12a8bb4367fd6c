/** The topic of a cluster's log, which is in each of the clusters. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { ensureTopic } from '../kafka/client/ensure-topic.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';

/** Replication leaves it out: MirrorMaker copies no topic whose name begins like this. */
export const CLUSTER_TOPIC = '__causeway_clusters';

const CONFIGS: Readonly<Record<string, string>> = {
  'compression.type': 'producer',
  // No decision uses the time of a record.
  'message.timestamp.type': 'LogAppendTime',
};

/** One partition, whose order decides. Errors: as {@link ensureTopic}. */
export async function ensureClusterTopic(cluster: Cluster, limits: Limits): Promise<TopicInfo> {
  const topic = { topic: CLUSTER_TOPIC, partitionCount: 1, cleanupPolicy: 'compact', configs: CONFIGS } as const;
  return await ensureTopic(cluster, { ...topic, limits });
}

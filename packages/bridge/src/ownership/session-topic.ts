/** The topic of the session log, with the settings that the log relies on. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { ensureTopic } from '../kafka/client/ensure-topic.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';

/** The same in all bridges: the partition of a session follows from it, so it can never change. */
export const SESSION_PARTITION_COUNT = 16;
/** How long a tombstone is kept: a bridge that was away for less time has read it. */
export const DELETE_RETENTION_MS = 86_400_000;

const CONFIGS: Readonly<Record<string, string>> = {
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

/** Errors: as {@link ensureTopic}. */
export async function ensureSessionTopic(cluster: Cluster, options: SessionTopicOptions): Promise<TopicInfo> {
  const { topic, partitionCount, limits } = options;
  return await ensureTopic(cluster, { topic, partitionCount, limits, cleanupPolicy: 'compact', configs: CONFIGS });
}

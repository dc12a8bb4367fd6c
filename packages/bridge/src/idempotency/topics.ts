/** The two topics of idempotency keys: the answers that were given, and which bridge owns which slot. */
import { SLOT_COUNT } from '@causeway/protocol/idempotency.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { ensureTopic } from '../kafka/client/ensure-topic.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';

export const ANSWER_TOPIC = '__causeway_answers';
export const SLOT_TOPIC = '__causeway_slots';

/** The same in all bridges, for ever: a claim names the partition of its owner's answers. */
export const ANSWER_PARTITION_COUNT = 32;

/** The answer to a request of 100,000 records, compressed, with room to spare. */
const MAX_ANSWER_BATCH_BYTES = 16_777_216;

const COMMON = {
  'segment.bytes': '67108864',
  'compression.type': 'producer',
  // The only clock by which answers expire.
  'message.timestamp.type': 'LogAppendTime',
} as const;

/** A topic of answers that are kept for `retentionMs`. Errors: as {@link ensureTopic}. */
export async function ensureAnswerTopic(
  cluster: Cluster,
  { retentionMs, limits }: { retentionMs: number; limits: Limits },
): Promise<TopicInfo> {
  return await ensureTopic(cluster, {
    topic: ANSWER_TOPIC,
    partitionCount: ANSWER_PARTITION_COUNT,
    cleanupPolicy: 'compact,delete',
    configs: {
      ...COMMON,
      'retention.ms': String(retentionMs),
      // The broker's default may delete answers before their time.
      'retention.bytes': '-1',
      'segment.ms': String(Math.max(MIN_SEGMENT_MS, Math.min(MAX_SEGMENT_MS, Math.floor(retentionMs / 4)))),
      'max.message.bytes': String(MAX_ANSWER_BATCH_BYTES),
    },
    faultOf: (settings) => answerFaultOf(settings, retentionMs),
    limits,
  });
}

/** Why a topic with these settings forgets answers too early. */
export function answerFaultOf(
  settings: ReadonlyMap<string, string | null | undefined>,
  retentionMs: number,
): string | undefined {
  const keptMs = Number(settings.get('retention.ms') ?? -1);
  if (keptMs >= 0 && keptMs < retentionMs) {
    return `has retention.ms=${keptMs}, and producer.idempotencyRetentionMs is ${retentionMs}: change one of them`;
  }
  const keptBytes = Number(settings.get('retention.bytes') ?? -1);
  if (keptBytes >= 0) return `has retention.bytes=${keptBytes}, which deletes answers before their time: set it to -1`;
  const clock = settings.get('message.timestamp.type') ?? 'LogAppendTime';
  if (clock === 'LogAppendTime') return undefined;
  return `has message.timestamp.type=${clock}, and bridges rely on LogAppendTime`;
}

const MIN_SEGMENT_MS = 60_000;
const MAX_SEGMENT_MS = 3_600_000;

/** Each slot has its own partition, which has its claims in one order. Errors: as {@link ensureTopic}. */
export async function ensureSlotTopic(cluster: Cluster, limits: Limits): Promise<TopicInfo> {
  return await ensureTopic(cluster, {
    topic: SLOT_TOPIC,
    partitionCount: SLOT_COUNT,
    cleanupPolicy: 'compact',
    configs: { ...COMMON, 'segment.ms': '600000', 'min.cleanable.dirty.ratio': '0.1' },
    limits,
  });
}

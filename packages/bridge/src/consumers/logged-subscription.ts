/** Restores a logged subscription, under the limits of this bridge and without topics that clients may not read. */
import type { ConsumersConfig } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { isClosedToConsumers } from '../kafka/client/internal-topics.ts';
import type { LoggedSubscription } from '../ownership/session-entry.ts';
import type { TopicPartition } from '../records.ts';
import { TopicPattern } from './topic-pattern.ts';

/** `unusable`: why polls are refused until the client subscribes or assigns again. */
export type RestoredSubscription =
  | { kind: 'none' }
  | { kind: 'topics'; topics: readonly string[]; unusable?: BridgeError }
  | { kind: 'pattern'; pattern: TopicPattern }
  | { kind: 'partitions'; partitions: readonly TopicPartition[]; unusable?: BridgeError }
  | { kind: 'unusablePattern'; unusable: BridgeError };

type Config = Pick<ConsumersConfig, 'maxTopics' | 'maxPartitions' | 'excludeInternalTopics'>;

export function restoreSubscription(description: LoggedSubscription, config: Config): RestoredSubscription {
  switch (description.kind) {
    case 'topics':
      return restoreTopics(description.topics, config);
    case 'partitions':
      return restorePartitions(description.partitions, config);
    case 'pattern':
      return restorePattern(description.pattern);
    default:
      return description;
  }
}

/** Whether clients may not read this topic. */
export function isClosed(topic: string, { excludeInternalTopics }: Pick<Config, 'excludeInternalTopics'>): boolean {
  return isClosedToConsumers(topic, { excludeKafkas: excludeInternalTopics });
}

function restoreTopics(topics: readonly string[], config: Config): RestoredSubscription {
  const unusable = tooMany(topics.length, 'topics', config.maxTopics);
  if (unusable !== undefined) return { kind: 'topics', topics, unusable };
  return { kind: 'topics', topics: topics.filter((topic) => !isClosed(topic, config)) };
}

function restorePartitions(partitions: readonly TopicPartition[], config: Config): RestoredSubscription {
  const unusable = tooMany(partitions.length, 'partitions', config.maxPartitions);
  if (unusable !== undefined) return { kind: 'partitions', partitions, unusable };
  return { kind: 'partitions', partitions: partitions.filter(({ topic }) => !isClosed(topic, config)) };
}

/** A bridge of an older version may have accepted a pattern that this one refuses. */
function restorePattern(source: string): RestoredSubscription {
  try {
    return { kind: 'pattern', pattern: new TopicPattern(source) };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { kind: 'unusablePattern', unusable: error };
  }
}

/** The bridge that logged it, or this one under another configuration, had a higher limit. */
function tooMany(count: number, what: string, limit: number): BridgeError | undefined {
  if (count <= limit) return undefined;
  return new BridgeError('notSubscribed', {
    message: `The consumer reads ${count} ${what}, more than the limit of ${limit}: subscribe or assign again`,
  });
}

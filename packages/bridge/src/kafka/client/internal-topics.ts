/** The internal topics, Kafka's own and Causeway's, which clients neither read nor write. */

/** Causeway's own topics: the session log, and later ones. */
const CAUSEWAY_PREFIX = '__causeway_';

/**
 * The session log of a bridge with `kafka.cluster`. MirrorMaker 2 replicates it to the other cluster; it replicates no topic whose name begins
 * with two underscores, whatever its filters say (`ReplicationPolicy.isInternalTopic`).
 */
export const REPLICATED_SESSION_TOPIC = 'causeway-sessions';

/** Source: `Topic.INTERNAL_TOPICS` in Kafka, and the metadata log of KRaft. */
const KAFKAS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
  '__cluster_metadata',
]);

export function isCausewayTopic(name: string): boolean {
  return name.startsWith(CAUSEWAY_PREFIX) || name === REPLICATED_SESSION_TOPIC;
}

/**
 * Whether the topic is closed to consumers. Causeway's own always are: they show who consumes which topics. `excludeKafkas`:
 * `exclude.internal.topics` of Kafka's consumers.
 */
export function isClosedToConsumers(name: string, { excludeKafkas }: { excludeKafkas: boolean }): boolean {
  return isCausewayTopic(name) || (excludeKafkas && KAFKAS.has(name));
}

/** Whether only Kafka and the bridges create and write the topic. */
export function isInternalTopic(name: string): boolean {
  return isClosedToConsumers(name, { excludeKafkas: true });
}

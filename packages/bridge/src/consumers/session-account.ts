/** Kafka as a session uses it: over the bridge's own connections, or over those of its client (`kafka.identity: client`). */
import type { Cluster } from '../kafka/client/cluster.ts';
import type { TopicListing } from './topic-listing.ts';

export interface SessionAccount {
  readonly cluster: Cluster;
  readonly topicListing: TopicListing;
  /** Keeps the connections open; the function that it returns ends that. */
  retain(): () => void;
}

/** What ownership needs to know where there are several Kafka clusters, of which one is active. */
import type { Promotion } from '@causeway/protocol/clusters.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { SessionDescription } from './session-entry.ts';

export interface ClusterPlace {
  /** The Kafka cluster of this bridge. */
  readonly cluster: string;
  /** The promotion under which it serves; `undefined` while it does not. */
  readonly promotion: Promotion | undefined;
  /** A description with the positions of another cluster, for this one. Errors: `kafkaUnavailable`. */
  translate(description: SessionDescription, limits: Limits): Promise<SessionDescription>;
}

/** Whether the bridge's Kafka cluster serves clients, where there are several of which one is active. */

import type { BridgeError } from './errors.ts';

export interface ClusterGate {
  /**
   * To be asked before a request of a client that writes or consumes begins; a promise where that is not known yet.
   * Errors: `clusterInactive`: nothing was executed.
   */
  enter(): Promise<void> | undefined;
  /** The promotion under which the cluster serves; another number after another one of it. A request belongs to the term in which it began. */
  readonly term: number;
  /**
   * To be asked before a request is acknowledged, when Kafka has done its part; a promise where Kafka has to be asked first. `term`: in which
   * it began. Errors: `clusterLost`: the cluster no longer serves clients, or does again, and what it stored may not have been replicated.
   */
  confirm(term: number): Promise<void> | undefined;
  /** The error for a request while the cluster serves no clients; `undefined` while it does. */
  refusal(): BridgeError | undefined;
  /** Whether the bridge may write into Kafka what it knows of sessions: also for a moment after a switch-over began. */
  readonly isWritable: boolean;
}

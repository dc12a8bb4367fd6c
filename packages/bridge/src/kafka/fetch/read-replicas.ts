/** Which broker a partition is read from: its leader, or a replica nearby that the leader has named (KIP-392). */
import type { TopicPartition } from '../../records.ts';
import type { PartitionInfo } from '../client/metadata.ts';

export interface ReadReplicaOptions {
  /** As brokers name it; `undefined`: fetches always go to leaders. */
  rack: string | undefined;
  /** After this long, fetches go to the leader again; for as long after a replica has failed, they go to leaders only. */
  maxAgeMs: number;
  now?: () => number;
}

const NO_RACK = '';

export class ReadReplicas {
  readonly #options: ReadReplicaOptions;
  readonly #now: () => number;
  readonly #preferred = new WeakMap<TopicPartition, { nodeId: number; untilMs: number }>();
  #leadersOnlyUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReadReplicaOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The rack that fetches name, so that leaders name a replica there; empty when they must not. */
  get rack(): string {
    return this.#now() < this.#leadersOnlyUntilMs ? NO_RACK : (this.#options.rack ?? NO_RACK);
  }

  /** The node id to fetch from; -1 when there is no leader. */
  sourceOf(partition: TopicPartition, info: PartitionInfo | undefined): number {
    const preferred = this.#preferred.get(partition);
    const isUsable =
      preferred !== undefined && this.#now() < preferred.untilMs && info?.replicas.includes(preferred.nodeId) === true;
    return isUsable ? preferred.nodeId : (info?.leader ?? -1);
  }

  /** The leader has named a replica. */
  prefer(partition: TopicPartition, nodeId: number): void {
    this.#preferred.set(partition, { nodeId, untilMs: this.#now() + this.#options.maxAgeMs });
  }

  /** Returns to the leader, if fetches went to this (default: any) replica; whether they did. */
  giveUp(partition: TopicPartition, nodeId?: number): boolean {
    const preferred = this.#preferred.get(partition);
    if (preferred === undefined || (nodeId !== undefined && preferred.nodeId !== nodeId)) return false;
    this.#preferred.delete(partition);
    // Its leader may still name it, until the other brokers have noticed.
    this.#leadersOnlyUntilMs = this.#now() + this.#options.maxAgeMs;
    return true;
  }
}

/** Prepares a join without effect on the group: finds the group's coordinator, and opens a connection to it. */
import type { ConnectionPool } from '@platformatic/kafka';
import type { Cluster } from '../client/cluster.ts';
import { within } from '../client/limits.ts';
import { GroupCoordinator } from './coordinator.ts';

export interface PreparedJoinOptions {
  group: string;
  /** The name of the member in Kafka's tools. */
  clientId: string;
  /** Of the join, which the coordinator may hold for long. */
  timeoutMs: number;
  /** Of the preparation itself. */
  requestTimeoutMs: number;
}

export class PreparedJoin {
  readonly coordinator: GroupCoordinator;
  readonly #cluster: Cluster;
  #pool: ConnectionPool | undefined;

  /** Starts at once. The join itself retries a step that fails. */
  constructor(cluster: Cluster, { group, clientId, timeoutMs, requestTimeoutMs }: PreparedJoinOptions) {
    this.#cluster = cluster;
    this.coordinator = new GroupCoordinator(cluster, group);
    const pool = cluster.createPool({ clientId, requestTimeoutMs: timeoutMs });
    this.#pool = pool;
    this.coordinator.connect(pool, within(requestTimeoutMs)).catch(() => {});
  }

  /** The connection, for one join; its taker closes it. */
  takePool(): ConnectionPool | undefined {
    const pool = this.#pool;
    this.#pool = undefined;
    return pool;
  }

  /** Closes the connection, if no join has taken it. */
  close(): void {
    const pool = this.takePool();
    if (pool !== undefined) void this.#cluster.closePool(pool);
  }
}

/** Sends requests to the broker that coordinates a group, and finds it again when it has moved. */
import { type Connection, type ConnectionPool, findCoordinatorV4, offsetFetchV8 } from '@platformatic/kafka';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { isUnauthenticated, protocolErrorId, refusal } from '../client/failure.ts';
import { kafkaError, type Remedy } from '../client/kafka-errors.ts';
import { bounded, type Limits, remainingMs, retrying, within } from '../client/limits.ts';
import type { Broker } from '../client/metadata.ts';

/** FindCoordinator's key type for groups. */
const GROUP_KEY_TYPE = 0;
/** A coordinator that has not responded to a small request for this long is looked up again. */
const ATTEMPT_TIMEOUT_MS = 3000;

export class GroupCoordinator {
  readonly group: string;
  readonly #cluster: Cluster;
  #broker: Broker | undefined;

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster;
    this.group = group;
  }

  /**
   * Sends a request that the coordinator handles at once, over shared connections.
   * Errors: protocol errors as the library throws them; the last failure when the limits are reached.
   */
  async send<T>(
    request: (connection: Connection) => Promise<T>,
    limits: Limits,
    pool = this.#cluster.pool,
  ): Promise<T> {
    return await this.#retrying(
      async (broker) =>
        await bounded(
          this.#cluster.onBroker(broker, request, pool),
          within(Math.min(ATTEMPT_TIMEOUT_MS, remainingMs(limits)), limits.signal),
        ),
      limits,
    );
  }

  /** Like {@link send}, for a request that waits for replicas (commit, leave). */
  async sendAndStore<T>(request: (connection: Connection) => Promise<T>, limits: Limits): Promise<T> {
    return await this.send(request, limits, this.#cluster.writePool);
  }

  /** Like {@link send}, for a request that the coordinator holds until others have come (join, sync). */
  async sendAndWait<T>(
    request: (connection: Connection) => Promise<T>,
    limits: Limits,
    pool: ConnectionPool,
  ): Promise<T> {
    return await this.#retrying((broker) => this.#cluster.onBroker(broker, request, pool), limits);
  }

  /** Finds the coordinator and connects to it, once, for a request that comes soon. Errors: as {@link send}. */
  async connect(pool: ConnectionPool, limits: Limits): Promise<void> {
    this.#broker ??= await this.#find(limits);
    await this.#cluster.connect(pool, this.#broker);
  }

  /** The group's committed offsets, without partitions that have none. Errors: as {@link send}. */
  async committed(
    partitions: readonly TopicPartition[],
    limits: Limits,
    options: { isStable: boolean },
  ): Promise<PartitionOffset[]> {
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, entries]) => ({
      name,
      partitionIndexes: entries.map(({ partition }) => partition),
    }));
    // While a transaction is being decided, the coordinator refuses stable offsets for some time (KIP-447).
    const response = await this.send(
      (connection) =>
        offsetFetchV8.api.async(connection, [{ groupId: this.group, memberEpoch: -1, topics }], options.isStable),
      limits,
    );
    const wanted = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)));
    return (response.groups[0]?.topics ?? []).flatMap(({ name, partitions: found }) =>
      found
        .filter(
          ({ partitionIndex, committedOffset }) =>
            committedOffset >= 0n && wanted.has(partitionKey(name, partitionIndex)),
        )
        .map(({ partitionIndex, committedOffset }) => ({
          topic: name,
          partition: partitionIndex,
          offset: committedOffset,
        })),
    );
  }

  async #retrying<T>(send: (broker: Broker) => Promise<T>, limits: Limits): Promise<T> {
    return await retrying(
      async () => {
        try {
          this.#broker ??= await this.#find(limits);
          return await send(this.#broker);
        } catch (error) {
          if (remedyOf(error) === 'coordinator') this.#broker = undefined;
          throw error;
        }
      },
      limits,
      (error) => {
        const remedy = remedyOf(error);
        return remedy === 'coordinator' || remedy === 'time';
      },
      this.#cluster.backoff,
    );
  }

  async #find(limits: Limits): Promise<Broker> {
    const { coordinators } = await this.#cluster
      .onAnyBroker((connection) => findCoordinatorV4.api.async(connection, GROUP_KEY_TYPE, [this.group]), limits)
      .catch((error: unknown) => {
        const id = protocolErrorId(error);
        throw id === undefined ? error : refusal(id, { group: this.group, cause: error });
      });
    const [found] = coordinators;
    if (found === undefined) throw new TypeError('no coordinator in the answer');
    return { host: found.host, port: found.port };
  }
}

/** What helps a request that failed; a broker that cannot be reached coordinates no group. */
function remedyOf(error: unknown): Remedy | undefined {
  if (isUnauthenticated(error)) return undefined;
  const id = protocolErrorId(error);
  return id === undefined ? 'coordinator' : kafkaError(id).remedy;
}

/** Sends requests to the broker that coordinates a group or a transactional id, and finds it again when it has moved. */
import { type Connection, type ConnectionPool, findCoordinatorV4 } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import { isUnauthenticated, protocolErrorId } from './failure.ts';
import { kafkaError, type Remedy } from './kafka-errors.ts';
import { bounded, type Limits, remainingMs, retrying, within } from './limits.ts';
import type { Broker } from './metadata.ts';

/** FindCoordinator's key types. */
const KEY_TYPES = { group: 0, transaction: 1 } as const;
/** A coordinator that has not responded to a small request for this long is looked up again. */
const ATTEMPT_TIMEOUT_MS = 3000;

export interface CoordinatorOptions {
  kind: keyof typeof KEY_TYPES;
  /** The group, or the transactional id. */
  key: string;
  /** The error in place of one by which Kafka refuses to name the coordinator. Default: the library's. */
  refusalOf?: (error: unknown) => unknown;
}

export class Coordinator {
  readonly #cluster: Cluster;
  readonly #options: CoordinatorOptions;
  #broker: Broker | undefined;

  constructor(cluster: Cluster, options: CoordinatorOptions) {
    this.#cluster = cluster;
    this.#options = options;
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

  /** Like {@link send}, for a request that waits for replicas (commit, leave, the end of a transaction). */
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
        return remedy === 'coordinator' || (remedy === 'time' && !isAboutTransaction(error));
      },
      this.#cluster.backoff,
    );
  }

  async #find(limits: Limits): Promise<Broker> {
    const { kind, key, refusalOf } = this.#options;
    const { coordinators } = await this.#cluster
      .onAnyBroker((connection) => findCoordinatorV4.api.async(connection, KEY_TYPES[kind], [key]), limits)
      .catch((error: unknown) => {
        throw protocolErrorId(error) === undefined || refusalOf === undefined ? error : refusalOf(error);
      });
    const [found] = coordinators;
    if (found === undefined) throw new TypeError('no coordinator in the answer');
    return { host: found.host, port: found.port };
  }
}

/** The transaction before still ends, which takes less time than the pauses here. */
function isAboutTransaction(error: unknown): boolean {
  return protocolErrorId(error) === 'CONCURRENT_TRANSACTIONS';
}

/** What helps a request that failed; a broker that cannot be reached coordinates nothing. */
function remedyOf(error: unknown): Remedy | undefined {
  if (isUnauthenticated(error)) return undefined;
  const id = protocolErrorId(error);
  return id === undefined ? 'coordinator' : kafkaError(id).remedy;
}

/** The Kafka cluster as the bridge sees it: its brokers, its topics, and connections to brokers. */
import { type Connection, ConnectionPool, metadataV12 } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';
import { isTooLong } from '../../topic-name.ts';
import { isUnauthenticated, protocolErrorId, responseIn, toBridgeError } from './failure.ts';
import { isInternalTopic } from './internal-topics.ts';
import { KafkaTraffic } from './kafka-traffic.ts';
import { type Backoff, bounded, type Limits, remainingMs, retrying, within } from './limits.ts';
import {
  answerOf,
  type Broker,
  isGone,
  isInternal,
  parseAddress,
  type TopicAnswer,
  type TopicInfo,
  topicInfo,
} from './metadata.ts';
import type { PoolSecurity } from './security.ts';

type MetadataResponse = metadataV12.MetadataResponse;
type MetadataResponseTopic = metadataV12.MetadataResponseTopic;

export interface ClusterOptions {
  /** `host:port` each. */
  bootstrapServers: readonly string[];
  clientId: string;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  metadataMaxAgeMs: number;
  /** Default: 25. */
  retryBackoffMinMs?: number;
  /** Default: 250. */
  retryBackoffMaxMs?: number;
  /** Default: neither TLS nor SASL. */
  security?: PoolSecurity;
  /** The client on whose behalf connections are made; default: they are the bridge's own. */
  connectsAs?: ConnectionIdentity;
  /** Counts their requests; default: counters of their own. */
  traffic?: KafkaTraffic;
}

/** The identity of a client, on whose behalf connections are made. */
export interface ConnectionIdentity {
  /** Errors: `unauthenticated` while Kafka refuses the credentials. */
  check(): void;
  /** Returns a function for the error of the connection that is made now: it returns the error to throw instead. */
  watch(): (error: unknown) => unknown;
}

export interface TopicQuestion {
  /** Metadata that are younger are not asked for. Default: the configured age. */
  maxAgeMs?: number;
  /** Lets a broker with `auto.create.topics.enable` create the topics that do not exist. Default: false. */
  mayCreate?: boolean;
}

/** After this long without a response to a metadata request, the next broker is asked. */
const ATTEMPT_TIMEOUT_MS = 2000;

/** Connections to brokers, and a cache of the metadata of topics. */
export class Cluster {
  readonly options: ClusterOptions;
  /** On all of its connections. */
  readonly traffic: KafkaTraffic;
  readonly #pool: ConnectionPool;
  readonly #writePool: ConnectionPool;
  readonly #bootstrap: readonly Broker[];
  readonly #brokers = new Map<number, Broker>();
  readonly #topics = new Map<string, TopicInfo>();
  /** Metadata requests in flight, by their topics: callers that ask for the same share one. */
  readonly #pending = new Map<string, Promise<MetadataResponse>>();
  readonly #pools = new Set<ConnectionPool>();
  #id: string | undefined;
  /** The broker that gets the next request; advances when a broker does not respond. */
  #turn = 0;

  constructor(options: ClusterOptions) {
    this.options = options;
    this.traffic = options.traffic ?? new KafkaTraffic();
    this.#bootstrap = options.bootstrapServers.map(parseAddress);
    this.#pool = this.createPool();
    this.#writePool = this.createPool();
  }

  /**
   * A new set of connections, one a broker. A broker handles the requests of one connection in order, so requests that wait
   * (fetch, join) need a pool of their own.
   */
  createPool({
    clientId = this.options.clientId,
    requestTimeoutMs = this.options.requestTimeoutMs,
  } = {}): ConnectionPool {
    const secured = this.options.security?.forPool() ?? { options: {}, watch: () => {} };
    const options = Object.assign(secured.options, {
      connectTimeout: this.options.connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
    });
    const pool = new ConnectionPool(clientId, options);
    secured.watch(pool);
    this.traffic.watch(pool, { isOfClient: this.options.connectsAs !== undefined });
    pool.on('connecting', ({ connection }) => {
      // The pool listens for the first error of a connection only; one more would end the process.
      connection.on('error', () => {});
      // A connection that a broker closes would keep its timer of the next authentication, and all that it holds.
      connection.once('close', () => void connection.close());
    });
    this.#pools.add(pool);
    return pool;
  }

  /** A connection of a pool. Errors: those of the library; `unauthenticated` where Kafka refuses the credentials of a client. */
  async connect(pool: ConnectionPool, broker: Broker): Promise<Connection> {
    const { connectsAs } = this.options;
    if (connectsAs === undefined) return await pool.get(broker);
    connectsAs.check();
    const errorOf = connectsAs.watch();
    try {
      return await pool.get(broker);
    } catch (error) {
      throw errorOf(error);
    }
  }

  /** Connects to any broker, which authenticates the identity. Errors: `unauthenticated`, `internal`, `kafkaUnavailable`. */
  async authenticate(limits: Limits): Promise<void> {
    await this.onAnyBroker(async () => {}, limits);
  }

  async closePool(pool: ConnectionPool): Promise<void> {
    this.#pools.delete(pool);
    await pool.close().catch(() => {});
  }

  /** Pauses between attempts. */
  get backoff(): Backoff {
    const { retryBackoffMinMs: minMs = 25, retryBackoffMaxMs: maxMs = 250 } = this.options;
    return { minMs, maxMs };
  }

  /** Shared connections for short requests. */
  get pool(): ConnectionPool {
    return this.#pool;
  }

  /**
   * Shared connections for requests that wait for replicas (commits). A broker that waits for a dead replica must not hold up the
   * requests that show whether Kafka responds.
   */
  get writePool(): ConnectionPool {
    return this.#writePool;
  }

  /** The cached metadata of a topic, however old. */
  knownTopic(name: string): TopicInfo | undefined {
    return this.#topics.get(name);
  }

  /** Kafka's own id of the cluster; `undefined` before its first response. */
  get id(): string | undefined {
    return this.#id;
  }

  broker(nodeId: number): Broker | undefined {
    return this.#brokers.get(nodeId);
  }

  /**
   * Known topics; those whose metadata are too old are asked for again. A topic that a broker is creating is unknown until it
   * exists. Errors: `kafkaUnavailable`.
   */
  async topics(
    names: readonly string[],
    limits: Limits,
    { maxAgeMs = this.options.metadataMaxAgeMs, mayCreate = false }: TopicQuestion = {},
  ): Promise<Map<string, TopicAnswer>> {
    const oldestMs = performance.now() - maxAgeMs;
    const answers = new Map<string, TopicAnswer>();
    const missing: string[] = [];
    for (const name of names) {
      const known = this.#topics.get(name);
      if (isTooLong(name)) answers.set(name, { errorId: 'INVALID_TOPIC_EXCEPTION' });
      else if (known !== undefined && known.fetchedAtMs >= oldestMs) answers.set(name, { topic: known });
      else missing.push(name);
    }
    if (missing.length > 0) {
      for (const raw of await this.#askForTopics(missing, limits, mayCreate)) {
        if (typeof raw.name === 'string') answers.set(raw.name, answerOf(raw, this.#topics.get(raw.name)));
      }
    }
    return answers;
  }

  /** Every topic that is not internal. Errors: `kafkaUnavailable`. */
  async listTopics(limits: Limits): Promise<string[]> {
    const response = await this.#ask(null, limits, false);
    return response.topics.flatMap((raw) => (typeof raw.name !== 'string' || isInternal(raw) ? [] : [raw.name]));
  }

  /** Every known broker; before that, the bootstrap servers. */
  get addresses(): Broker[] {
    return this.#brokers.size > 0 ? [...this.#brokers.values()] : [...this.#bootstrap];
  }

  /** Sends one metadata request to this broker, without retries and without a time limit. */
  async pingBroker(broker: Broker): Promise<void> {
    await this.onBroker(broker, (connection) => this.#metadata(connection, []));
  }

  /** Sends one metadata request to any broker, without retries. */
  async ping(limits: Limits): Promise<void> {
    await this.#askOnce([], limits);
  }

  /** Sends to any broker, the next one when it fails, until the limits are reached. Errors: `kafkaUnavailable`. */
  async onAnyBroker<T>(send: (connection: Connection) => Promise<T>, limits: Limits): Promise<T> {
    try {
      return await retrying(
        async () =>
          await this.#sendToAny(send, within(Math.min(ATTEMPT_TIMEOUT_MS, remainingMs(limits)), limits.signal)),
        limits,
        (error) => protocolErrorId(error) === undefined && !isRefusal(error),
        this.backoff,
      );
    } catch (error) {
      if (limits.signal?.aborted === true) throw error;
      throw toBridgeError(error);
    }
  }

  /** Sends to one broker. Errors: those of the library. */
  async onBroker<T>(broker: Broker, send: (connection: Connection) => Promise<T>, pool = this.#pool): Promise<T> {
    return await send(await this.connect(pool, broker));
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pools].map((pool) => pool.close()));
    if (this.options.traffic === undefined) this.traffic.close();
    this.#pools.clear();
  }

  /** Never lets a broker create internal topics: their owners create them with the settings that they need. */
  async #askForTopics(names: readonly string[], limits: Limits, mayCreate: boolean): Promise<MetadataResponseTopic[]> {
    const creatable = mayCreate ? names.filter((name) => !isInternalTopic(name)) : [];
    const reserved = mayCreate ? names.filter((name) => isInternalTopic(name)) : names;
    const responses = await Promise.all([
      ...(reserved.length > 0 ? [this.#ask(reserved, limits, false)] : []),
      ...(creatable.length > 0 ? [this.#ask(creatable, limits, true)] : []),
    ]);
    return responses.flatMap(({ topics }) => topics);
  }

  async #ask(names: readonly string[] | null, limits: Limits, mayCreate: boolean): Promise<MetadataResponse> {
    const key = names === null ? '*' : JSON.stringify([mayCreate, ...[...names].sort()]);
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      // Not the limits of this caller: others wait for the same response.
      const own = within(this.options.requestTimeoutMs);
      pending = this.onAnyBroker((connection) => this.#metadata(connection, names, mayCreate), own).finally(() =>
        this.#pending.delete(key),
      );
      pending.catch(() => {});
      this.#pending.set(key, pending);
    }
    return await bounded(pending, limits);
  }

  async #askOnce(names: readonly string[], limits: Limits): Promise<void> {
    await bounded(
      this.#sendToAny((connection) => this.#metadata(connection, names), limits),
      limits,
    );
  }

  async #metadata(
    connection: Connection,
    names: readonly string[] | null,
    mayCreate = false,
  ): Promise<MetadataResponse> {
    let response: MetadataResponse;
    const isNamed = names !== null;
    try {
      response = await metadataV12.api.async(connection, isNamed ? [...names] : null, mayCreate, isNamed);
    } catch (error) {
      // A topic that does not exist makes the library throw the whole response.
      const partial = responseIn<MetadataResponse>(error);
      if (partial === undefined) throw error;
      response = partial;
    }
    this.#remember(response);
    return response;
  }

  #remember(response: MetadataResponse): void {
    this.#id = response.clusterId ?? this.#id;
    this.#brokers.clear();
    for (const { nodeId, host, port } of response.brokers) this.#brokers.set(nodeId, { host, port });
    const fetchedAtMs = performance.now();
    for (const raw of response.topics) {
      if (typeof raw.name !== 'string') continue;
      if (isGone(raw)) this.#topics.delete(raw.name);
      else if (raw.errorCode === 0) this.#topics.set(raw.name, topicInfo(raw, this.#topics.get(raw.name), fetchedAtMs));
    }
  }

  async #sendToAny<T>(send: (connection: Connection) => Promise<T>, limits: Limits): Promise<T> {
    const brokers = [...this.#brokers.values(), ...this.#bootstrap];
    const broker = brokers[this.#turn % brokers.length];
    if (broker === undefined) throw new TypeError('no bootstrap servers');
    try {
      return await bounded(this.onBroker(broker, send), limits);
    } catch (error) {
      // Also at the time limit: a stopped broker still accepts connections.
      if (protocolErrorId(error) === undefined && !isRefusal(error) && limits.signal?.aborted !== true) this.#turn += 1;
      throw error;
    }
  }
}

/** Whether a broker refused the connection of a client, as every other one would. */
function isRefusal(error: unknown): boolean {
  return isUnauthenticated(error) || (error instanceof BridgeError && error.code === 'internal');
}

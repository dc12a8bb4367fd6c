/** The consumers that live on this bridge, by group and name. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ConsumersConfig, KafkaConfig } from '../config.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { heartbeatPauseMs } from './heartbeats.ts';
import { Session } from './session.ts';
import type { SessionIdentity } from './session-identity.ts';
import type { SessionOptions } from './session-options.ts';
import { TopicListing } from './topic-listing.ts';

export interface RegistryDependencies {
  cluster: Cluster;
  log: Logger;
  /** Begins the names that are generated. */
  bridgeName: string;
  kafka: KafkaConfig;
  consumers: ConsumersConfig;
}

/** How often consumers that nobody uses are looked for. */
const EXPIRY_INTERVAL_MS = 1000;
/** What was fetched for a consumer that nobody polls for this long is freed. */
const IDLE_RECORDS_MS = 10_000;
const RETRY_AFTER_SECONDS = 1;

export class ConsumerRegistry {
  readonly #dependencies: RegistryDependencies;
  readonly #sessions = new Map<string, Session>();
  readonly #topicListing: TopicListing;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(dependencies: RegistryDependencies) {
    this.#dependencies = dependencies;
    const { cluster, kafka, consumers } = dependencies;
    this.#topicListing = new TopicListing(cluster, {
      refreshMs: consumers.topicRefreshMs,
      requestTimeoutMs: kafka.requestTimeoutMs,
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS);
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Defaults for what a client does not say. */
  get defaults() {
    const { consumers, kafka } = this.#dependencies;
    return {
      resetPolicy: consumers.defaultAutoOffsetReset,
      fetchMinBytes: consumers.defaultFetchMinBytes,
      requestTimeoutMs: kafka.requestTimeoutMs,
    };
  }

  /** Whether consumers may be created at all. */
  get isEnabled(): boolean {
    return this.#dependencies.consumers.isEnabled;
  }

  generateName(): string {
    return `${this.#dependencies.bridgeName}-${randomUUID()}`;
  }

  has(identity: SessionIdentity): boolean {
    return this.#sessions.has(keyOf(identity));
  }

  /** Errors: `consumerExists`, `overloaded` at the limit, `shuttingDown`. */
  create(identity: SessionIdentity, options: SessionOptions): Session {
    if (this.#isStopping) throw new BridgeError('shuttingDown');
    const key = keyOf(identity);
    if (this.#sessions.has(key)) throw new BridgeError('consumerExists');
    const { cluster, log, kafka, consumers } = this.#dependencies;
    if (this.#sessions.size >= consumers.maxCount) {
      throw new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    const session = new Session(identity, options, {
      cluster,
      kafka,
      consumers,
      topicListing: this.#topicListing,
      heartbeatPauseMs: () => heartbeatPauseMs(kafka, this.#sessions.size),
      ownership: { confirm: async () => {}, record: async () => {} },
      onFenced: () => {
        log.info({ ...identity }, 'consumer was taken over');
        this.#remove(session);
        session.fence(undefined);
      },
    });
    this.#sessions.set(key, session);
    log.info({ ...identity }, 'consumer created');
    return session;
  }

  /** Errors: `consumerNotFound`; `shuttingDown` while the bridge stops, because it lives on elsewhere. */
  find(identity: SessionIdentity): Session {
    const session = this.#sessions.get(keyOf(identity));
    if (session !== undefined) return session;
    throw new BridgeError(this.#isStopping ? 'shuttingDown' : 'consumerNotFound');
  }

  /** Gone for other requests at once. Errors: `consumerNotFound`. */
  async delete(identity: SessionIdentity): Promise<void> {
    const session = this.find(identity);
    this.#remove(session);
    await session.close({ isCommitting: true });
    this.#dependencies.log.info({ ...identity }, 'consumer deleted');
  }

  /** Waiting polls answer now, and so do all that come. */
  releasePolls(): void {
    this.#isStopping = true;
    for (const session of this.#sessions.values()) session.releasePolls();
  }

  /** Commits what was delivered and leaves every group. */
  async close(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map((session) => session.close({ isCommitting: true })));
  }

  #remove(session: Session): void {
    const key = keyOf(session.identity);
    if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }

  #expire(): void {
    const { consumers, log } = this.#dependencies;
    for (const session of this.#sessions.values()) {
      const idleMs = session.idleMs();
      if (idleMs >= IDLE_RECORDS_MS) session.dropRecords();
      if (idleMs < consumers.inactivityTimeoutMs) continue;
      this.#remove(session);
      log.info({ ...session.identity }, 'consumer expired');
      // Nobody came back for more, so nobody says that the last answer was received.
      void session.close({ isCommitting: false });
    }
  }
}

/** Groups and names may hold any text: the length says where one ends. */
function keyOf({ group, name }: SessionIdentity): string {
  return `${group.length}:${group}${name}`;
}

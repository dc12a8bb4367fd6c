/** Puts a bridge together, starts it, and stops it in order. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { BridgeConfig } from './config.ts';
import { ConsumerRegistry } from './consumers/registry.ts';
import { Admin } from './kafka/admin.ts';
import { Cluster } from './kafka/cluster.ts';
import { ProduceClient } from './kafka/produce.ts';
import { Readiness } from './kafka/readiness.ts';
import { Metrics } from './metrics.ts';
import { Batcher } from './producer/batcher.ts';
import { addAdminRoutes } from './routes/admin.ts';
import { addConsumerRoutes } from './routes/consumers.ts';
import { addInfoRoutes } from './routes/info.ts';
import { addOffsetRoutes, addPositionReports } from './routes/offsets.ts';
import { addPollRoute } from './routes/poll.ts';
import { addProduceRoutes } from './routes/produce.ts';
import { type ApiServer, createApiServer } from './routes/server.ts';
import { addSubscriptionRoutes } from './routes/subscriptions.ts';
import { addTopicRoutes } from './routes/topics.ts';

/** How often a stopping bridge looks whether every request has its answer. */
const DRAIN_POLL_MS = 10;
/** Connections that were idle when the stop began get this long to be used once more, and ended in order. */
const IDLE_CONNECTION_MS = 250;

/** A bridge that is running. */
export class Bridge {
  readonly port: number;
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;

  private constructor(parts: Parts, port: number) {
    this.#parts = parts;
    this.port = port;
  }

  /** Listens at once; Kafka may come later. Errors: of listening. */
  static async start(config: BridgeConfig, log: Logger): Promise<Bridge> {
    const parts = createParts(config, log);
    try {
      const port = await parts.server.listen(config.listen);
      parts.readiness.start();
      parts.registry.start();
      log.info({ host: config.listen.host, port }, 'bridge started');
      return new Bridge(parts, port);
    } catch (error) {
      await parts.cluster.close();
      throw error;
    }
  }

  get url(): string {
    const { host } = this.#parts.config.listen;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /**
   * Stops in order, within `shutdown.graceMs`: no new connections, waiting polls answered, records stored, what was
   * delivered committed, groups left.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { config, log, server, registry, batcher, produceClient, readiness, cluster, state } = this.#parts;
    state.isShuttingDown = true;
    log.info('bridge stopping');
    server.stopAccepting();
    const drained = (async () => {
      registry.releasePolls();
      await drain(server);
      await batcher.close();
      await registry.close();
    })();
    const isInTime = await Promise.race([
      drained.then(() => true),
      delay(config.shutdown.graceMs, false, { ref: false }),
    ]);
    if (!isInTime) log.warn({ graceMs: config.shutdown.graceMs }, 'the stop took too long and was cut short');
    readiness.close();
    await server.close();
    await produceClient.close();
    await cluster.close();
    log.info('bridge stopped');
  }
}

interface Parts {
  config: BridgeConfig;
  log: Logger;
  server: ApiServer;
  registry: ConsumerRegistry;
  batcher: Batcher;
  produceClient: ProduceClient;
  readiness: Readiness;
  cluster: Cluster;
  state: { isShuttingDown: boolean };
}

function createParts(config: BridgeConfig, log: Logger): Parts {
  const state = { isShuttingDown: false };
  const cluster = new Cluster(config.kafka);
  const readiness = new Readiness(cluster, {
    ...config.readiness,
    onFlip: (isReady, reason) => log.info({ isReady, reason }, isReady ? 'bridge ready' : 'bridge not ready'),
  });
  const produceClient = new ProduceClient(cluster, {
    acks: config.producer.acks,
    timeoutMs: config.kafka.requestTimeoutMs,
  });
  const batcher = new Batcher(cluster, produceClient, config.producer);
  const registry = new ConsumerRegistry({
    cluster,
    log,
    bridgeName: config.bridge.name,
    kafka: config.kafka,
    consumers: config.consumers,
  });
  const unreadyReason = (): string | undefined =>
    state.isShuttingDown ? 'Bridge is shutting down' : readiness.unreadyReason;
  const metrics = new Metrics({
    isReady: () => unreadyReason() === undefined,
    sessionCount: () => registry.sessionCount,
    queuedBytes: () => batcher.queuedBytes,
  });
  const server = createApiServer({ maxBodyBytes: config.limits.maxBodyBytes, metrics, log });
  addInfoRoutes(server, { version: readVersion(), metrics, unreadyReason });
  const admin = new Admin(cluster);
  addTopicRoutes(server, admin);
  addAdminRoutes(server, admin);
  addProduceRoutes(server, {
    ...{ sink: batcher, metrics },
    isEnabled: config.producer.isEnabled,
    maxRecords: config.limits.maxRecords,
  });
  addConsumerRoutes(server, registry);
  addSubscriptionRoutes(server, registry);
  addOffsetRoutes(server, registry);
  addPositionReports(server, registry);
  addPollRoute(server, { registry, metrics });
  return { config, log, server, registry, batcher, produceClient, readiness, cluster, state };
}

/** Waits until every request has its answer, and idle connections had their chance. */
async function drain(server: ApiServer): Promise<void> {
  await delay(IDLE_CONNECTION_MS);
  while (server.openCount > 0) await delay(DRAIN_POLL_MS);
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

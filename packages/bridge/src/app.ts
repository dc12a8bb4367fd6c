/** Puts a bridge together, starts it, and stops it in order. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { readTrustSecret, TrustPolicy } from '@causeway/config/trust.ts';
import { Certificates, type CertificatesOptions } from '@causeway/http/certificates.ts';
import { Cors } from '@causeway/http/cors.ts';
import { formatBridge } from '@causeway/protocol/routing.ts';
import type { Logger } from 'pino';
import type { BridgeConfig } from './config.ts';
import { ConsumerRegistry } from './consumers/registry.ts';
import { addAdminRoutes } from './http/admin.ts';
import { addConsumerRoutes } from './http/consumers.ts';
import { addInfoRoutes } from './http/info.ts';
import { Load } from './http/load.ts';
import { addManagementRoutes } from './http/management.ts';
import { addOffsetRoutes, addPositionReports } from './http/offsets.ts';
import { addPollRoute } from './http/poll.ts';
import { addProduceRoutes } from './http/produce.ts';
import { type ApiServer, createApiServer } from './http/server.ts';
import { addSessionsRoute } from './http/sessions.ts';
import { addSubscriptionRoutes } from './http/subscriptions.ts';
import { addTopicRoutes } from './http/topics.ts';
import { Admin } from './kafka/client/admin.ts';
import { Cluster } from './kafka/client/cluster.ts';
import { Readiness } from './kafka/client/readiness.ts';
import { KafkaSecurity } from './kafka/client/security.ts';
import { ProduceClient } from './kafka/produce/produce.ts';
import { ProducerId } from './kafka/produce/producer-id.ts';
import { KafkaRates } from './metrics/kafka-rates.ts';
import { Metrics } from './metrics.ts';
import { LONGEST_RELIANCE_MS } from './ownership/rules.ts';
import { SessionLog } from './ownership/session-log.ts';
import { Batcher } from './producer/batcher.ts';
import { RequestWatcher } from './watch/watcher.ts';

/** How long connections are taken while consumers are given up: longer than clients and gateways are waited for. */
const RELEASE_MS = 1000;
/**
 * Kafka may need so long to replace a broker that died (`broker.session.timeout.ms` is 9 s by default). All bridges have
 * the same log: sending clients to another one would help nobody.
 */
const SESSION_LOG_GRACE_MS = 12_000;

/** A bridge that is running. */
export class Bridge {
  readonly port: number;
  /** The same, unless the configuration names another. */
  readonly managementPort: number;
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;

  private constructor(parts: Parts, ports: { api: number; management: number }) {
    this.#parts = parts;
    this.port = ports.api;
    this.managementPort = ports.management;
  }

  /** Listens at once; Kafka may come later. Errors: of listening. */
  static async start(config: BridgeConfig, log: Logger): Promise<Bridge> {
    const watcher = await RequestWatcher.start({
      config,
      onTrouble: (what, reason) =>
        reason === undefined ? log.info(`${what} written again`) : log.warn({ reason }, `${what} cannot be written`),
    });
    const parts = createParts(config, log, watcher);
    try {
      const { host, port, backlog } = config.listen;
      const apiPort = await parts.server.listen({ host, port, backlog });
      const managementPort = await parts.management?.listen({ host, port: config.management?.port ?? 0, backlog });
      const ports = { api: apiPort, management: managementPort ?? apiPort };
      parts.certificates?.start();
      parts.readiness.start();
      parts.sessionLog.start();
      parts.registry.start();
      log.info({ host, port: ports.api, managementPort: ports.management }, 'bridge started');
      return new Bridge(parts, ports);
    } catch (error) {
      await Promise.all(parts.servers.map((server) => server.close()));
      await parts.cluster.close();
      await watcher?.telemetry.close();
      throw error;
    }
  }

  get url(): string {
    const { server, config } = this.#parts;
    const { host } = config.listen;
    return `${server.scheme}://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** The access log goes on in a new file: the old one was moved away. */
  reopenLogs(): void {
    this.#parts.watcher?.telemetry.reopen();
  }

  /**
   * Stops in order, within `shutdown.graceMs`: waiting polls answered, what was delivered committed and consumers given up,
   * then no new connections, and records stored.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { config, log, servers, registry, sessionLog, batcher, produceClient, readiness, cluster, state } =
      this.#parts;
    state.isShuttingDown = true;
    log.info('bridge stopping');
    const released = registry.close();
    // Clients and gateways say that they have their last answers, over connections that may have to be new.
    await Promise.race([released, delay(Math.min(RELEASE_MS, config.shutdown.graceMs), undefined, { ref: false })]);
    for (const server of servers) server.stopAccepting();
    const drained = (async () => {
      await Promise.all(servers.map((server) => server.drained()));
      await batcher.close();
      await released;
    })();
    const isInTime = await Promise.race([
      drained.then(() => true),
      delay(config.shutdown.graceMs, false, { ref: false }),
    ]);
    if (!isInTime) log.warn({ graceMs: config.shutdown.graceMs }, 'the stop took too long and was cut short');
    readiness.close();
    this.#parts.certificates?.close();
    await Promise.all(servers.map((server) => server.close()));
    await sessionLog.close();
    await produceClient.close();
    await cluster.close();
    await this.#parts.watcher?.telemetry.close();
    log.info('bridge stopped');
  }
}

interface Parts {
  config: BridgeConfig;
  log: Logger;
  /** Of the API. */
  server: ApiServer;
  /** Where it is apart. */
  management: ApiServer | undefined;
  servers: readonly ApiServer[];
  certificates: Certificates | undefined;
  registry: ConsumerRegistry;
  sessionLog: SessionLog;
  batcher: Batcher;
  produceClient: ProduceClient;
  readiness: Readiness;
  cluster: Cluster;
  state: { isShuttingDown: boolean };
  watcher: RequestWatcher | undefined;
}

function createParts(config: BridgeConfig, log: Logger, watcher: RequestWatcher | undefined): Parts {
  const state = { isShuttingDown: false };
  const { tls } = config.listen;
  const certificates = tls === undefined ? undefined : new Certificates(tls, certificateLog(log));
  const cluster = new Cluster({ ...config.kafka, security: new KafkaSecurity(config.kafka, log) });
  const readiness = new Readiness(cluster, {
    ...config.readiness,
    onFlip: (isReady, reason) => log.info({ isReady, reason }, isReady ? 'bridge ready' : 'bridge not ready'),
  });
  const produceClient = new ProduceClient(cluster, {
    acks: config.producer.acks,
    timeoutMs: config.kafka.requestTimeoutMs,
    compression: config.producer.compression,
  });
  const onForbidden = (reason: string): void =>
    log.warn({ reason }, 'the producer is not idempotent: Kafka gives it no id');
  const isIdempotent = config.producer.isIdempotent && config.producer.acks === 'all';
  const producerId = isIdempotent ? new ProducerId(cluster, onForbidden) : undefined;
  const batcher = new Batcher(cluster, produceClient, { ...config.producer, producerId });
  const sessionLog = new SessionLog(cluster, {
    requestTimeoutMs: config.kafka.requestTimeoutMs,
    settleMs: LONGEST_RELIANCE_MS,
    onTrouble: (reason) => log.info({ reason }, reason === undefined ? 'session log read' : 'session log not readable'),
  });
  const registry = new ConsumerRegistry({
    cluster,
    log,
    sessionLog,
    bridge: formatBridge(config.bridge),
    onAdopted: (durationMs, stagesMs) => metrics.countAdoption(durationMs, stagesMs),
    bridgeName: config.bridge.name,
    kafka: config.kafka,
    consumers: config.consumers,
  });
  const unreadyReason = (): string | undefined =>
    state.isShuttingDown
      ? 'Bridge is shutting down'
      : (readiness.unreadyReason ?? sessionLog.lastingUnreadyReason(SESSION_LOG_GRACE_MS));
  const kafkaRates = new KafkaRates(cluster.traffic);
  const load = new Load(config.limits);
  const version = readVersion();
  const metrics = new Metrics({
    isReady: () => unreadyReason() === undefined,
    sessions: () => registry.sessions(),
    producer: batcher,
    kafka: cluster.traffic,
    load,
    certificates,
    version,
    telemetry: watcher?.telemetry,
    name: formatBridge(config.bridge),
  });
  const shared = {
    limits: config.limits,
    load,
    compression: config.compression,
    metrics,
    log,
    watcher,
    bridge: formatBridge(config.bridge),
    trust: trustPolicy(config.trust, log),
  };
  const cors = config.cors.isEnabled ? new Cors(config.cors) : undefined;
  const server = createApiServer({ ...shared, certificates, cors });
  const management = config.management === undefined ? undefined : createApiServer(shared);
  addInfoRoutes(server, version);
  addManagementRoutes(management ?? server, {
    metrics,
    unreadyReason,
    kafkaRates: () => kafkaRates.at(performance.now()),
    kafka: () => ({
      isAnswering: readiness.unreadyReason === undefined,
      clusterId: cluster.id,
      answeredAgoMs: readiness.answeredAgoMs,
    }),
  });
  const admin = new Admin(cluster);
  addTopicRoutes(server, admin);
  addAdminRoutes(server, admin);
  addProduceRoutes(server, {
    sink: batcher,
    metrics,
    isEnabled: config.producer.isEnabled,
    maxRecords: config.limits.maxRecords,
    maxRecordBytes: config.producer.maxRequestBytes,
  });
  addConsumerRoutes(server, registry);
  addSessionsRoute(server, registry);
  addSubscriptionRoutes(server, registry);
  addOffsetRoutes(server, registry);
  addPositionReports(server, registry);
  addPollRoute(server, {
    registry,
    metrics,
    load,
    maxPollTimeoutMs: config.consumers.maxPollTimeoutMs,
  });
  const servers = management === undefined ? [server] : [server, management];
  return {
    config,
    log,
    server,
    management,
    servers,
    certificates,
    registry,
    sessionLog,
    batcher,
    produceClient,
    readiness,
    cluster,
    state,
    watcher,
  };
}

function certificateLog(log: Logger): CertificatesOptions {
  return {
    onReplaced: (expiresAt) => log.info({ expiresAt: expiresAt.toISOString() }, 'certificate replaced'),
    onRefused: (reason) => log.error({ reason }, 'certificate cannot be used, the one before stays'),
  };
}

function trustPolicy(trust: BridgeConfig['trust'], log: Logger): TrustPolicy {
  return new TrustPolicy({
    proxies: trust.proxies,
    peers: trust.peers,
    secret: readTrustSecret(trust),
    onImpostor: (impostor) => log.warn(impostor, 'not believed to be a gateway'),
  });
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

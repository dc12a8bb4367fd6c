/** The servers of a bridge: the API, its management port, their certificate and metrics. */
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import { readTrustSecret, TrustPolicy } from '@causeway/config/trust.ts';
import { Certificates } from '@causeway/http/certificates.ts';
import { Cors } from '@causeway/http/cors.ts';
import { formatBridge } from '@causeway/protocol/routing.ts';
import { readVersion } from '@causeway/protocol/version.ts';
import type { Logger } from 'pino';
import type { Clusters } from './clusters/clusters.ts';
import type { BridgeConfig } from './config.ts';
import type { ConsumerRegistry } from './consumers/registry.ts';
import { addAdminRoutes } from './http/admin.ts';
import { addClusterRoutes } from './http/clusters.ts';
import { addConsumerRoutes } from './http/consumers.ts';
import { addInfoRoutes } from './http/info.ts';
import type { KafkaAccessSource } from './http/kafka-access.ts';
import { Load } from './http/load.ts';
import { addManagementRoutes } from './http/management.ts';
import { addOffsetRoutes, addPositionReports } from './http/offsets.ts';
import { addPollRoute } from './http/poll.ts';
import { addProduceRoutes } from './http/produce.ts';
import { type ApiServer, createApiServer } from './http/server.ts';
import { addSessionsRoute } from './http/sessions.ts';
import { addSubscriptionRoutes } from './http/subscriptions.ts';
import { addTopicRoutes } from './http/topics.ts';
import type { KeyedProducer } from './idempotency/keyed-producer.ts';
import type { Cluster } from './kafka/client/cluster.ts';
import type { Readiness } from './kafka/client/readiness.ts';
import type { ClientCounts } from './metrics/kafka.ts';
import { KafkaRates } from './metrics/kafka-rates.ts';
import { Metrics } from './metrics.ts';
import type { ProducerTotals } from './producer/producer-totals.ts';
import type { ReplicatedAcks } from './replication/replicated-acks.ts';
import type { Replication } from './replication/replication.ts';
import type { RequestWatcher } from './watch/watcher.ts';

export interface ServersOptions {
  config: BridgeConfig;
  log: Logger;
  watcher: RequestWatcher | undefined;
  /** Why the bridge is not ready; `undefined` when it is. */
  unreadyReason: () => string | undefined;
  registry: ConsumerRegistry;
  totals: ProducerTotals;
  /** `undefined`: requests with an idempotency key are refused. */
  keyed: KeyedProducer | undefined;
  /** As whom requests use Kafka. */
  kafka: KafkaAccessSource;
  /** `undefined` while there is one cluster. */
  clusters: Clusters | undefined;
  /** `undefined` without a second Kafka cluster. */
  replication: Replication | undefined;
  /** The same. */
  replicatedAcks: ReplicatedAcks | undefined;
  /** `undefined`: as the bridge alone. */
  clients: ClientCounts | undefined;
  readiness: Readiness;
  cluster: Cluster;
}

export interface Servers {
  api: ApiServer;
  /** `undefined` while the API's port serves management, too. */
  management: ApiServer | undefined;
  all: readonly ApiServer[];
  /** Of the ports with TLS. */
  certificates: readonly Certificates[];
  metrics: Metrics;
}

/** Errors: for certificate files that cannot be used. */
export function createServers(options: ServersOptions): Servers {
  const { config, log, watcher, unreadyReason, registry, totals, clients, cluster } = options;
  const certificates = certificatesOf(config.listen.tls, { listener: 'api', place: 'listen.tls', log });
  const managementCertificates = certificatesOf(config.management?.tls, {
    listener: 'management',
    place: 'management.tls',
    log,
  });
  const listeners = [...listenerOf('api', certificates), ...listenerOf('management', managementCertificates)];
  const load = new Load(config.limits);
  const version = readVersion();
  const metrics = new Metrics({
    isReady: () => unreadyReason() === undefined,
    sessions: () => registry.sessions(),
    producer: totals,
    keyed: options.keyed,
    replication: options.replication,
    replicatedAcks: options.replicatedAcks,
    kafka: cluster.traffic,
    clients,
    load,
    listeners,
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
    kafka: options.kafka,
    bridge: formatBridge(config.bridge),
    trust: trustPolicy(config.trust, log),
    gate: options.clusters?.state,
  };
  const cors = config.cors.isEnabled ? new Cors(config.cors) : undefined;
  const api = createApiServer({ ...shared, certificates, cors });
  const management =
    config.management === undefined ? undefined : createApiServer({ ...shared, certificates: managementCertificates });
  addInfoRoutes(api, version);
  addManagement(management ?? api, metrics, options);
  addOperations(api, { metrics, load }, options);
  const all = management === undefined ? [api] : [api, management];
  return { api, management, all, certificates: listeners.map((listener) => listener.certificates), metrics };
}

function addManagement(
  server: ApiServer,
  metrics: Metrics,
  { unreadyReason, readiness, cluster, clusters }: ServersOptions,
): void {
  const kafkaRates = new KafkaRates(cluster.traffic);
  addManagementRoutes(server, {
    metrics,
    unreadyReason,
    clusters: clusters?.state,
    kafkaRates: () => kafkaRates.at(performance.now()),
    kafka: () => ({
      isAnswering: readiness.unreadyReason === undefined,
      clusterId: cluster.id,
      answeredAgoMs: readiness.answeredAgoMs,
    }),
  });
}

function addOperations(
  server: ApiServer,
  { metrics, load }: { metrics: Metrics; load: Load },
  { config, registry, clusters, replicatedAcks }: ServersOptions,
): void {
  addTopicRoutes(server);
  addAdminRoutes(server);
  addProduceRoutes(server, {
    metrics,
    isEnabled: config.producer.isEnabled,
    maxRecords: config.limits.maxRecords,
    maxRecordBytes: config.producer.maxRequestBytes,
    gate: clusters?.state,
    replicatedAcks,
  });
  if (clusters !== undefined) addClusterRoutes(server, clusters);
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
    maxPollBytes: config.consumers.maxPollBytes,
  });
}

function certificatesOf(
  tls: ListenTls | undefined,
  { listener, place, log }: { listener: string; place: string; log: Logger },
): Certificates | undefined {
  if (tls === undefined) return undefined;
  return new Certificates(tls, {
    place,
    onChange: ({ notAfter, problem }) => {
      const details = { listener, notAfter: notAfter.toISOString() };
      if (problem === undefined) log.info(details, 'certificate in use');
      else log.error({ ...details, problem }, 'certificate with a problem');
    },
    onHandshakeFailure: (failure) => log.warn({ listener, ...failure }, 'a client could not connect'),
  });
}

/** For the metrics. */
function listenerOf(
  name: string,
  certificates: Certificates | undefined,
): { name: string; certificates: Certificates }[] {
  return certificates === undefined ? [] : [{ name, certificates }];
}

function trustPolicy(trust: BridgeConfig['trust'], log: Logger): TrustPolicy {
  return new TrustPolicy({
    proxies: trust.proxies,
    peers: trust.peers,
    secret: readTrustSecret(trust),
    onImpostor: (impostor) => log.warn(impostor, 'not trusted as a gateway'),
  });
}

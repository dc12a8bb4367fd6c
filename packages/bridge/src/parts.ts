/** The parts of a bridge, put together: Kafka, producer, consumers, and the servers over them. */
import type { ClusterMode } from '@causeway/protocol/clusters.ts';
import { formatBridge } from '@causeway/protocol/routing.ts';
import type { Logger } from 'pino';
import { ClientAccess, createProducer, type Producer } from './client-access.ts';
import { ClusterState } from './clusters/cluster-state.ts';
import { Clusters } from './clusters/clusters.ts';
import type { TopicPoint } from './clusters/log-records.ts';
import { connectPeer } from './clusters/peer-cluster.ts';
import { matchesTopic } from './clusters-config.ts';
import type { BridgeConfig } from './config.ts';
import { ConsumerRegistry } from './consumers/registry.ts';
import type { KafkaAccess } from './http/kafka-access.ts';
import { KeyedProducer } from './idempotency/keyed-producer.ts';
import { Admin } from './kafka/client/admin.ts';
import { Cluster } from './kafka/client/cluster.ts';
import { REPLICATED_SESSION_TOPIC } from './kafka/client/internal-topics.ts';
import { Readiness } from './kafka/client/readiness.ts';
import { KafkaSecurity } from './kafka/client/security.ts';
import type { ClusterPlace } from './ownership/cluster-place.ts';
import { LONGEST_RELIANCE_MS } from './ownership/rules.ts';
import { SessionLog } from './ownership/session-log.ts';
import { SESSION_TOPIC } from './ownership/session-topic-name.ts';
import { ProducerTotals } from './producer/producer-totals.ts';
import { MirrorReplication } from './replication/mirror-replication.ts';
import { ReplicatedAcks } from './replication/replicated-acks.ts';
import type { Replication, ReplicationRole } from './replication/replication.ts';
import { createServers, type Servers } from './servers.ts';
import type { RequestWatcher } from './watch/watcher.ts';

/**
 * How long Kafka may need to replace a broker that died (`broker.session.timeout.ms` is 9 s by default). Until then a bridge
 * stays ready: all bridges read the same session log, so another one could not help its clients.
 */
const SESSION_LOG_GRACE_MS = 12_000;

export interface Parts {
  config: BridgeConfig;
  log: Logger;
  servers: Servers;
  registry: ConsumerRegistry;
  sessionLog: SessionLog;
  producer: Producer;
  /** `undefined`: requests with an idempotency key are refused. */
  keyed: KeyedProducer | undefined;
  /** `undefined`: requests use Kafka as the bridge. */
  clients: ClientAccess | undefined;
  readiness: Readiness;
  cluster: Cluster;
  /** `undefined` while there is one cluster. */
  clusters: Clusters | undefined;
  /** Connections to the other cluster, if there is one. */
  peer: Cluster | undefined;
  state: { isShuttingDown: boolean };
  watcher: RequestWatcher | undefined;
}

const NO_POINT: readonly TopicPoint[] = [];

/** Creates the parts; none runs yet. Errors: for certificate files that cannot be used. */
export function createParts(config: BridgeConfig, log: Logger, watcher: RequestWatcher | undefined): Parts {
  const state = { isShuttingDown: false };
  const security = new KafkaSecurity(config.kafka, log);
  const cluster = new Cluster({ ...config.kafka, security });
  const readiness = new Readiness(cluster, {
    ...config.readiness,
    onFlip: (isReady, reason) => log.info({ isReady, reason }, isReady ? 'bridge ready' : 'bridge not ready'),
  });
  const totals = new ProducerTotals();
  const producer = createProducer(cluster, config, {
    totals,
    onForbidden: (reason) => log.warn({ reason }, 'the producer is not idempotent: Kafka refuses it a producer id'),
  });
  const admin = new Admin(cluster);
  const keyed = createKeyedProducer({ config, cluster, totals, log });
  const own: KafkaAccess = { sink: producer.batcher, keyed, catalog: admin, creator: admin, client: undefined };
  const clients =
    config.kafka.identity === 'client' ? new ClientAccess({ config, own, security, cluster, totals }) : undefined;
  const peer = config.clusters.peer === undefined ? undefined : connectPeer(config.kafka, config.clusters.peer, log);
  const clusterState = createClusterState({ config, cluster, peer, log });
  const replication = createReplication({ config, cluster, peer, state: clusterState });
  const sessionLog = new SessionLog(cluster, {
    gate: clusterState,
    topic: config.kafka.cluster === undefined ? SESSION_TOPIC : REPLICATED_SESSION_TOPIC,
    requestTimeoutMs: config.kafka.requestTimeoutMs,
    settleMs: LONGEST_RELIANCE_MS,
    onTrouble: (reason) => log.info({ reason }, reason === undefined ? 'session log read' : 'session log not readable'),
  });
  const registry = new ConsumerRegistry({
    cluster,
    log,
    sessionLog,
    bridge: formatBridge(config.bridge),
    onAdopted: (durationMs, stagesMs) => servers.metrics.countAdoption(durationMs, stagesMs),
    bridgeName: config.bridge.name,
    kafka: config.kafka,
    consumers: config.consumers,
    gate: clusterState,
    place: clusterState && placeOf(clusterState, replication),
  });
  const clusters =
    clusterState && createClusters({ config, log, state: clusterState, replication, sessionLog, registry, keyed });
  const unreadyReason = (): string | undefined =>
    state.isShuttingDown
      ? 'Bridge is shutting down'
      : (readiness.unreadyReason ??
        clusterState?.unreadyReason ??
        sessionLog.lastingUnreadyReason(SESSION_LOG_GRACE_MS));
  const servers = createServers({
    config,
    log,
    watcher,
    unreadyReason,
    registry,
    totals,
    keyed,
    clusters,
    replication,
    replicatedAcks: replication && createReplicatedAcks(config, replication),
    kafka: clients ?? { own, of: () => own },
    clients: clients?.accounts,
    readiness,
    cluster,
  });
  return {
    config,
    log,
    servers,
    registry,
    sessionLog,
    producer,
    keyed,
    clients,
    readiness,
    cluster,
    clusters,
    peer,
    state,
    watcher,
  };
}

/** `undefined` while the cluster has no name. */
function createClusterState({ config, cluster, peer, log }: Pick<Parts, 'config' | 'cluster' | 'peer' | 'log'>) {
  const { kafka, clusters, bridge } = config;
  if (kafka.cluster === undefined) return undefined;
  const peerName = clusters.peer?.name;
  return new ClusterState({
    self: kafka.cluster,
    cluster,
    peer: peer === undefined || peerName === undefined ? undefined : { name: peerName, cluster: peer },
    bridge: formatBridge(bridge),
    requestTimeoutMs: kafka.requestTimeoutMs,
    leaseMs: clusters.leaseMs,
    prefer: clusters.prefer,
    log,
  });
}

function createReplicatedAcks({ clusters, producer }: BridgeConfig, replication: Replication): ReplicatedAcks {
  return new ReplicatedAcks({
    replication,
    peer: clusters.peer?.name ?? '',
    isAlwaysWanted: matchesTopic(producer.replicatedTopics),
    timeoutMs: producer.deliveryTimeoutMs,
  });
}

/** What consumers need to know of the clusters. */
function placeOf(state: ClusterState, replication: Replication | undefined): ClusterPlace {
  return {
    cluster: state.self,
    get promotion() {
      return state.claimPromotion;
    },
    async translate(description, limits) {
      return replication === undefined ? description : await replication.translateDescription(description, limits);
    },
  };
}

function createClusters({
  config,
  log,
  state,
  replication,
  sessionLog,
  registry,
  keyed,
}: Pick<Parts, 'config' | 'log' | 'sessionLog' | 'registry' | 'keyed'> & {
  state: ClusterState;
  replication: Replication | undefined;
}): Clusters {
  const { leaseMs, prefer, switchOverTimeoutMs } = config.clusters;
  state.onMode((mode) => {
    // A switch-over leaves a moment to write where the clients are.
    if (mode === 'pausing') void registry.releaseAll();
    else if (mode !== 'active') registry.drop();
    if (mode !== 'active' && mode !== 'pausing') keyed?.rest();
  });
  return new Clusters({
    state,
    replication,
    groups: () => [...new Set([...sessionLog.entries()].map(({ identity }) => identity.group))],
    requestTimeoutMs: config.kafka.requestTimeoutMs,
    leaseMs,
    prefer,
    switchOverTimeoutMs,
    log,
  });
}

function createKeyedProducer({
  config,
  cluster,
  totals,
  log,
}: Pick<Parts, 'config' | 'cluster' | 'log'> & { totals: ProducerTotals }): KeyedProducer | undefined {
  const { producer, kafka, bridge } = config;
  if (!producer.isEnabled || !producer.idempotencyKeys || kafka.identity === 'client') return undefined;
  const { requestTimeoutMs } = kafka;
  return new KeyedProducer({ cluster, self: formatBridge(bridge), requestTimeoutMs, producer, open: totals.open, log });
}

/** `undefined` without a peer. */
function createReplication({
  config,
  cluster,
  peer,
  state,
}: Pick<Parts, 'config' | 'cluster' | 'peer'> & { state: ClusterState | undefined }): Replication | undefined {
  const peerName = config.clusters.peer?.name;
  if (state === undefined || peer === undefined || peerName === undefined) return undefined;
  return new MirrorReplication({
    own: { name: state.self, cluster },
    peer: { name: peerName, cluster: peer },
    requestTimeoutMs: config.kafka.requestTimeoutMs,
    isMirrored: matchesTopic(config.clusters.topics),
    points: () => ({ own: state.own.facts.point, peer: state.peer?.facts.point ?? NO_POINT }),
    role: () => roleOf(state.mode),
  });
}

function roleOf(mode: ClusterMode): ReplicationRole {
  if (mode === 'active' || mode === 'pausing') return 'source';
  return mode === 'standby' ? 'target' : 'none';
}

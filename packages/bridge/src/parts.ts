/** The parts of a bridge, put together: Kafka, producer, consumers, and the servers over them. */
import { formatBridge } from '@causeway/protocol/routing.ts';
import type { Logger } from 'pino';
import type { BridgeConfig } from './config.ts';
import { ConsumerRegistry } from './consumers/registry.ts';
import { Cluster } from './kafka/client/cluster.ts';
import { Readiness } from './kafka/client/readiness.ts';
import { KafkaSecurity } from './kafka/client/security.ts';
import { ProduceClient } from './kafka/produce/produce.ts';
import { ProducerId } from './kafka/produce/producer-id.ts';
import { LONGEST_RELIANCE_MS } from './ownership/rules.ts';
import { SessionLog } from './ownership/session-log.ts';
import { Batcher } from './producer/batcher.ts';
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
  batcher: Batcher;
  produceClient: ProduceClient;
  readiness: Readiness;
  cluster: Cluster;
  state: { isShuttingDown: boolean };
  watcher: RequestWatcher | undefined;
}

/** Creates the parts; none runs yet. Errors: for certificate files that cannot be used. */
export function createParts(config: BridgeConfig, log: Logger, watcher: RequestWatcher | undefined): Parts {
  const state = { isShuttingDown: false };
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
    log.warn({ reason }, 'the producer is not idempotent: Kafka refuses it a producer id');
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
    onAdopted: (durationMs, stagesMs) => servers.metrics.countAdoption(durationMs, stagesMs),
    bridgeName: config.bridge.name,
    kafka: config.kafka,
    consumers: config.consumers,
  });
  const unreadyReason = (): string | undefined =>
    state.isShuttingDown
      ? 'Bridge is shutting down'
      : (readiness.unreadyReason ?? sessionLog.lastingUnreadyReason(SESSION_LOG_GRACE_MS));
  const servers = createServers({ config, log, watcher, unreadyReason, registry, batcher, readiness, cluster });
  return {
    config,
    log,
    servers,
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

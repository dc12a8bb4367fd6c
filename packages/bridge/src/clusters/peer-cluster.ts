/** Connections to the other cluster. */
import type { Logger } from 'pino';
import type { PeerConfig } from '../clusters-config.ts';
import { Cluster } from '../kafka/client/cluster.ts';
import { KafkaSecurity } from '../kafka/client/security.ts';
import type { KafkaConfig } from '../kafka-config.ts';

/** While it is away, it is asked less often than the bridge's own cluster. */
const RETRY_BACKOFF_MAX_MS = 1000;

/** Errors: for certificate files that cannot be used. */
export function connectPeer(kafka: KafkaConfig, peer: PeerConfig, log: Logger): Cluster {
  const { clientId, connectTimeoutMs, requestTimeoutMs, metadataMaxAgeMs, retryBackoffMinMs } = kafka;
  const { bootstrapServers, tls, sasl } = peer;
  return new Cluster({
    bootstrapServers,
    clientId,
    connectTimeoutMs,
    requestTimeoutMs,
    metadataMaxAgeMs,
    retryBackoffMinMs,
    retryBackoffMaxMs: Math.max(RETRY_BACKOFF_MAX_MS, retryBackoffMinMs),
    security: new KafkaSecurity({ tls, sasl, identity: 'bridge', connectTimeoutMs }, log),
  });
}

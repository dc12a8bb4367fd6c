/** Metrics of the Kafka behind this bridge, and of the program itself. */
import process from 'node:process';
import { BUILD_INFO, counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import type { Distribution } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';

export const KAFKA_METRICS = {
  ready: gauge('causeway_bridge_ready', '1 while Kafka answers and the bridge can serve.'),
  requests: counter(
    'causeway_bridge_kafka_requests_total',
    "Requests to Kafka's brokers, by its name for their kind.",
    ['request'],
  ),
  produceDurations: histogram(
    'causeway_bridge_kafka_produce_duration_seconds',
    'From a produce request until the broker had answered it, or failed.',
  ),
  errors: counter(
    'causeway_bridge_kafka_errors_total',
    'Errors of Kafka by its name for them; NETWORK_EXCEPTION: a connection could not be made or broke. Some are part of the normal course (MEMBER_ID_REQUIRED, REBALANCE_IN_PROGRESS).',
    ['code'],
  ),
  identities: gauge(
    'causeway_bridge_kafka_identities',
    'Clients whose identity the bridge uses in Kafka now, with connections of their own (kafka.identity: client).',
  ),
  refusedRequests: counter(
    'causeway_bridge_kafka_refused_credentials_total',
    'Requests without credentials, or with credentials that Kafka refused (kafka.identity: client).',
  ),
  buildInfo: BUILD_INFO,
};

/** Of the clients whose identity the bridge uses. */
export interface ClientCounts {
  readonly count: number;
  readonly refusedCount: number;
}

export interface KafkaSources {
  /** `undefined`: requests use Kafka as the bridge. */
  clients: ClientCounts | undefined;
  isReady: () => boolean;
  kafka: {
    requestCounts: () => Iterable<readonly [name: string, count: number]>;
    readonly errorCounts: ReadonlyMap<string, number>;
    readonly produceDurations: Distribution;
  };
  /** This bridge, as `region/bridge`. */
  name: string;
  version: string;
}

export function addKafkaMetrics(exposition: Exposition, sources: KafkaSources): void {
  const { isReady, kafka, clients, name, version } = sources;
  exposition.addValue(KAFKA_METRICS.ready, () => (isReady() ? 1 : 0));
  exposition.add(KAFKA_METRICS.requests, (sample) => {
    for (const [request, count] of kafka.requestCounts()) sample({ request }, count);
  });
  exposition.addDistributions(KAFKA_METRICS.produceDurations, (sample) => sample({}, kafka.produceDurations));
  exposition.add(KAFKA_METRICS.errors, (sample) => {
    for (const [code, count] of kafka.errorCounts) sample({ code }, count);
  });
  exposition.addValue(KAFKA_METRICS.identities, () => clients?.count ?? 0);
  exposition.addValue(KAFKA_METRICS.refusedRequests, () => clients?.refusedCount ?? 0);
  exposition.add(KAFKA_METRICS.buildInfo, (sample) => {
    sample({ program: 'bridge', name, version, node_version: process.version }, 1);
  });
}

/** Operations for operators: is the bridge alive, can it serve, what are its metrics. */
import { CLUSTER_HEADER, PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { formatKafkaRates, KAFKA_RATES_HEADER, type KafkaRatesTold } from '@causeway/protocol/kafka-rates.ts';
import { KAFKA_ANSWERED_HEADER, KAFKA_CLUSTER_HEADER, KAFKA_HEADER } from '@causeway/protocol/routing.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { respondEmpty, respondLong } from './responses.ts';
import type { ApiServer } from './server.ts';

/** The state of Kafka, as the bridge reports it to gateways. */
export interface KafkaStatus {
  isAnswering: boolean;
  /** The id of its cluster; `undefined` before its first response. */
  clusterId: string | undefined;
  /** How long ago it last responded, in milliseconds; `undefined` before its first response. */
  answeredAgoMs: number | undefined;
}

export interface ManagementDependencies {
  metrics: Metrics;
  /** Why the bridge is not ready; `undefined` when it is. */
  unreadyReason: () => string | undefined;
  kafka: () => KafkaStatus;
  /** What gateways learn of the clusters; `undefined` while there is one. */
  clusters: { readonly modeHeader: string; readonly promotionHeader: string | undefined } | undefined;
  /** `undefined` until they are measured. */
  kafkaRates: () => KafkaRatesTold | undefined;
}

export function addManagementRoutes(server: ApiServer, dependencies: ManagementDependencies): void {
  const { metrics, unreadyReason, kafka, kafkaRates, clusters } = dependencies;
  server.on('healthy', async (_request, reply) => respondEmpty(reply, 200));
  server.on('ready', async ({ sender }, reply) => {
    if (sender.via === 'gateway') {
      const { isAnswering, clusterId, answeredAgoMs } = kafka();
      reply.header(KAFKA_HEADER, isAnswering ? 'up' : 'down');
      if (clusterId !== undefined) reply.header(KAFKA_CLUSTER_HEADER, clusterId);
      if (answeredAgoMs !== undefined) reply.header(KAFKA_ANSWERED_HEADER, String(Math.ceil(answeredAgoMs)));
      const rates = kafkaRates();
      if (rates !== undefined) reply.header(KAFKA_RATES_HEADER, formatKafkaRates(rates));
      if (clusters !== undefined) {
        const { modeHeader, promotionHeader } = clusters;
        reply.header(CLUSTER_HEADER, modeHeader);
        if (promotionHeader !== undefined) reply.header(PROMOTION_HEADER, promotionHeader);
      }
    }
    const reason = unreadyReason();
    if (reason !== undefined) throw new BridgeError('notReady', { message: reason });
    return respondEmpty(reply, 200);
  });
  server.on('metrics', async (_request, reply) => respondLong(reply, await metrics.text(), metrics.contentType));
}

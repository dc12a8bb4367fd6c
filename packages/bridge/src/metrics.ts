/** The bridge's metrics: plain counters on the request path, turned into Prometheus' text when they are asked for. */

import { addCertificateMetrics, type CertificateSource, certificateMetrics } from '@causeway/metrics/certificates.ts';
import type { MetricDeclaration } from '@causeway/metrics/declaration.ts';
import { Exposition } from '@causeway/metrics/exposition.ts';
import type { RequestOutcome } from '@causeway/metrics/request-outcome.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';
import { addTelemetryMetrics, TELEMETRY_METRICS, type TelemetryCounts } from '@causeway/telemetry/metrics.ts';
import { AdoptionDurations, addConsumerMetrics, CONSUMER_METRICS, type ConsumerSources } from './metrics/consumers.ts';
import { addIdempotencyMetrics, IDEMPOTENCY_METRICS, type IdempotencySources } from './metrics/idempotency.ts';
import { addKafkaMetrics, KAFKA_METRICS, type KafkaSources } from './metrics/kafka.ts';
import { addRecordMetrics, RECORD_METRICS, RecordCounts, type RecordSources } from './metrics/records.ts';
import { addReplicationMetrics, REPLICATION_METRICS, type ReplicationSources } from './metrics/replication.ts';
import { addRequestMetrics, REQUEST_METRICS, RequestCounts, type RequestSources } from './metrics/requests.ts';
import type { AdoptionStage } from './ownership/adoption.ts';

/** What others count, read when the metrics are asked for. */
export type MetricsSources = Omit<RequestSources, 'requests'> &
  Omit<RecordSources, 'records'> &
  Omit<ConsumerSources, 'adoptions'> &
  KafkaSources &
  IdempotencySources &
  ReplicationSources & {
    /** The ports with TLS. */
    listeners: readonly CertificateSource[];
    telemetry: TelemetryCounts | undefined;
  };

const CERTIFICATE_METRICS = certificateMetrics('causeway_bridge');

/** Every metric of the bridge's own, in the order in which it is exposed. */
export const BRIDGE_METRICS: readonly MetricDeclaration[] = [
  ...Object.values(REQUEST_METRICS),
  ...Object.values(RECORD_METRICS),
  ...Object.values(IDEMPOTENCY_METRICS),
  ...Object.values(REPLICATION_METRICS),
  ...Object.values(CONSUMER_METRICS),
  ...Object.values(KAFKA_METRICS),
  ...Object.values(CERTIFICATE_METRICS),
  ...Object.values(TELEMETRY_METRICS),
];

export class Metrics {
  readonly #exposition = new Exposition();
  readonly #requests = new RequestCounts();
  readonly #records = new RecordCounts();
  readonly #adoptions = new AdoptionDurations();

  constructor(sources: MetricsSources) {
    addRequestMetrics(this.#exposition, { ...sources, requests: this.#requests });
    addRecordMetrics(this.#exposition, { ...sources, records: this.#records });
    addIdempotencyMetrics(this.#exposition, sources);
    addReplicationMetrics(this.#exposition, sources);
    addConsumerMetrics(this.#exposition, { ...sources, adoptions: this.#adoptions });
    addKafkaMetrics(this.#exposition, sources);
    addCertificateMetrics(this.#exposition, CERTIFICATE_METRICS, () => sources.listeners);
    addTelemetryMetrics(this.#exposition, () => sources.telemetry);
  }

  get contentType(): string {
    return this.#exposition.contentType;
  }

  countRequest(operation: Operation, outcome: RequestOutcome, durationMs: number): void {
    this.#requests.count(operation, outcome, durationMs);
  }

  countProduced(storedCount: number, failedCount: number): void {
    this.#records.producedCount += storedCount;
    this.#records.failedCount += failedCount;
  }

  /** A response to a poll, `bytes` long. */
  countDelivered(recordCount: number, bytes: number): void {
    if (recordCount === 0) return;
    this.#records.deliveredCount += recordCount;
    this.#records.deliveredBytes += bytes;
    this.#records.pollRecords.observe(recordCount);
  }

  /** A consumer that came from another bridge. */
  countAdoption(durationMs: number, stagesMs: ReadonlyMap<AdoptionStage, number>): void {
    this.#adoptions.count(durationMs, stagesMs);
  }

  /** A response that its client cannot have read. */
  countTakenBack(): void {
    this.#records.takenBackCount += 1;
  }

  /** Prometheus text. */
  text(): Promise<string> {
    return this.#exposition.text();
  }
}

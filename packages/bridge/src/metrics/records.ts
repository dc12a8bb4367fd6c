/** Metrics of records on their way to Kafka and to consumers. */
import { counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import { Distribution } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';

/** Up to what a full fetch of small records holds, and `producer.maxBatchRecords`. */
const RECORD_COUNT_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000];

export const RECORD_METRICS = {
  produced: counter('causeway_bridge_records_produced_total', 'Records that clients produced: ok or failed.', [
    'outcome',
  ]),
  producedBytes: counter(
    'causeway_bridge_produced_bytes_total',
    'Bytes of the records that Kafka stored: keys, values and headers, before compression.',
  ),
  batchRecords: histogram(
    'causeway_bridge_produce_batch_records',
    'Records in each batch that was sent to Kafka; a batch is of one partition.',
  ),
  batchBytes: histogram(
    'causeway_bridge_produce_batch_bytes',
    'Bytes of records in each batch that was sent to Kafka, before compression.',
  ),
  queuedBytes: gauge('causeway_bridge_producer_queued_bytes', 'Bytes of records that wait for Kafka.'),
  delivered: counter('causeway_bridge_records_delivered_total', 'Records that were written to consumers.'),
  deliveredBytes: counter(
    'causeway_bridge_delivered_bytes_total',
    'Bytes of the responses with records that were written to consumers.',
  ),
  pollRecords: histogram(
    'causeway_bridge_poll_records',
    'Records in each response to a poll that had any; without these are polls that ended at their time limit.',
  ),
  takenBack: counter(
    'causeway_bridge_answers_taken_back_total',
    'Responses with records whose connection broke before the client had read them; the records come again.',
  ),
};

/** Of the HTTP side, since the start. */
export class RecordCounts {
  producedCount = 0;
  failedCount = 0;
  deliveredCount = 0;
  deliveredBytes = 0;
  takenBackCount = 0;
  readonly pollRecords = new Distribution({ bounds: RECORD_COUNT_BUCKETS });
}

/** The producer's own counts. */
export interface ProducerCounts {
  readonly queuedBytes: number;
  readonly storedBytes: number;
  readonly batchRecords: Distribution;
  readonly batchBytes: Distribution;
}

export interface RecordSources {
  records: RecordCounts;
  producer: ProducerCounts;
}

export function addRecordMetrics(exposition: Exposition, { records, producer }: RecordSources): void {
  exposition.add(RECORD_METRICS.produced, (sample) => {
    sample({ outcome: 'ok' }, records.producedCount);
    sample({ outcome: 'failed' }, records.failedCount);
  });
  exposition.addValue(RECORD_METRICS.producedBytes, () => producer.storedBytes);
  exposition.addDistributions(RECORD_METRICS.batchRecords, (sample) => sample({}, producer.batchRecords));
  exposition.addDistributions(RECORD_METRICS.batchBytes, (sample) => sample({}, producer.batchBytes));
  exposition.addValue(RECORD_METRICS.queuedBytes, () => producer.queuedBytes);
  exposition.addValue(RECORD_METRICS.delivered, () => records.deliveredCount);
  exposition.addValue(RECORD_METRICS.deliveredBytes, () => records.deliveredBytes);
  exposition.addDistributions(RECORD_METRICS.pollRecords, (sample) => sample({}, records.pollRecords));
  exposition.addValue(RECORD_METRICS.takenBack, () => records.takenBackCount);
}

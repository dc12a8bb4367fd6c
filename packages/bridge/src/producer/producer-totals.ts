/** What all producers of a bridge share: the memory for records that wait, and what metrics show. */
import { Distribution } from '@causeway/metrics/distribution.ts';

/** Up to the defaults of `maxBatchRecords` and `maxBatchBytes`, and beyond. */
const BATCH_RECORD_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
const BATCH_BYTE_BUCKETS = [100, 1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

export class ProducerTotals {
  /** Bytes that unsettled records keep in memory. */
  readonly open = { bytes: 0 };
  /** Bytes of records that Kafka has stored since the start. */
  storedBytes = 0;
  /** Of each batch that was sent. */
  readonly batchRecords = new Distribution({ bounds: BATCH_RECORD_BUCKETS });
  readonly batchBytes = new Distribution({ bounds: BATCH_BYTE_BUCKETS });

  get queuedBytes(): number {
    return this.open.bytes;
  }
}

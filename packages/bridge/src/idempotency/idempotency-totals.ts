/** What metrics say of idempotency keys, since the start. */
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { ErrorId } from '../kafka/client/kafka-errors.ts';

const DURATION_BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
const GROUP_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000];

export type KeyedResult = 'executed' | 'replayed' | 'mismatched' | 'misdirected' | 'failed';

export class IdempotencyTotals {
  readonly requestCounts: Record<KeyedResult, number> = {
    executed: 0,
    replayed: 0,
    mismatched: 0,
    misdirected: 0,
    failed: 0,
  };
  /** Transactions that were committed, and those that ended otherwise by Kafka's error. */
  committedCount = 0;
  readonly brokenCounts = new Map<ErrorId | 'NO_RESPONSE', number>();
  /** Requests of each committed transaction. */
  readonly groupRequests = new Distribution({ bounds: GROUP_BUCKETS });
  /** From the first record to the commit. */
  readonly transactionDurations = new Distribution({
    bounds: DURATION_BUCKETS_MS,
    perBaseUnit: MILLISECONDS_PER_SECOND,
  });
  readonly takeOverDurations = new Distribution({ bounds: DURATION_BUCKETS_MS, perBaseUnit: MILLISECONDS_PER_SECOND });

  committed(requestCount: number, durationMs: number): void {
    this.committedCount += 1;
    this.groupRequests.observe(requestCount);
    this.transactionDurations.observe(durationMs);
  }

  broken(errorId: ErrorId | undefined): void {
    const reason = errorId ?? 'NO_RESPONSE';
    this.brokenCounts.set(reason, (this.brokenCounts.get(reason) ?? 0) + 1);
  }
}

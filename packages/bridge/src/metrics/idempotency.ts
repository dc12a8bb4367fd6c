/** Metrics of requests with an idempotency key. */
import { counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { IdempotencyTotals } from '../idempotency/idempotency-totals.ts';

export const IDEMPOTENCY_METRICS = {
  requests: counter(
    'causeway_bridge_idempotency_requests_total',
    'Requests with an Idempotency-Key: executed, replayed (their answer was known), mismatched (422), misdirected (421) or failed.',
    ['result'],
  ),
  keys: gauge(
    'causeway_bridge_idempotency_keys',
    'Idempotency keys whose answers are known; producer.idempotencyMaxKeys is the most.',
  ),
  maxKeys: gauge(
    'causeway_bridge_idempotency_max_keys',
    'Most idempotency keys that the bridge keeps (producer.idempotencyMaxKeys); 0 while it serves none.',
  ),
  expired: counter(
    'causeway_bridge_idempotency_expired_keys_total',
    'Idempotency keys that were forgotten because their time was over.',
  ),
  slots: gauge('causeway_bridge_idempotency_slots', 'Slots of idempotency keys that the bridge owns.'),
  transactions: counter(
    'causeway_bridge_idempotency_transactions_total',
    'Transactions with the records and answers of such requests: by outcome, committed or the error by which Kafka ended them.',
    ['outcome'],
  ),
  groupRequests: histogram(
    'causeway_bridge_idempotency_transaction_requests',
    'Requests in each transaction that was committed.',
  ),
  transactionDuration: histogram(
    'causeway_bridge_idempotency_transaction_duration_seconds',
    'How long transactions took, from their first record to their commit.',
  ),
  takeOverDuration: histogram(
    'causeway_bridge_idempotency_takeover_duration_seconds',
    'How long the bridge took to take slots over from another bridge, or from none.',
  ),
};

export interface IdempotencySources {
  /** `undefined` while the bridge serves no idempotency keys. */
  keyed:
    | {
        readonly totals: IdempotencyTotals;
        readonly keyCount: number;
        readonly maxKeys: number;
        readonly expiredCount: number;
        readonly heldSlotCount: number;
      }
    | undefined;
}

export function addIdempotencyMetrics(exposition: Exposition, { keyed }: IdempotencySources): void {
  exposition.add(IDEMPOTENCY_METRICS.requests, (sample) => {
    for (const [result, count] of Object.entries(keyed?.totals.requestCounts ?? {})) sample({ result }, count);
  });
  exposition.addValue(IDEMPOTENCY_METRICS.keys, () => keyed?.keyCount ?? 0);
  exposition.addValue(IDEMPOTENCY_METRICS.maxKeys, () => keyed?.maxKeys ?? 0);
  exposition.addValue(IDEMPOTENCY_METRICS.expired, () => keyed?.expiredCount ?? 0);
  exposition.addValue(IDEMPOTENCY_METRICS.slots, () => keyed?.heldSlotCount ?? 0);
  exposition.add(IDEMPOTENCY_METRICS.transactions, (sample) => {
    if (keyed === undefined) return;
    sample({ outcome: 'committed' }, keyed.totals.committedCount);
    for (const [outcome, count] of keyed.totals.brokenCounts) sample({ outcome }, count);
  });
  if (keyed === undefined) return;
  const { totals } = keyed;
  exposition.addDistributions(IDEMPOTENCY_METRICS.groupRequests, (sample) => sample({}, totals.groupRequests));
  exposition.addDistributions(IDEMPOTENCY_METRICS.transactionDuration, (sample) =>
    sample({}, totals.transactionDurations),
  );
  exposition.addDistributions(IDEMPOTENCY_METRICS.takeOverDuration, (sample) => sample({}, totals.takeOverDurations));
}

/** Awaits that the coordinator has written the markers of a transaction that has ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, describeTransactionsV0 } from '@platformatic/kafka';
import type { Coordinator } from '../client/coordinator.ts';
import { backoffMs, type Limits, remainingMs } from '../client/limits.ts';

/** States in which the next transaction is refused with CONCURRENT_TRANSACTIONS. */
const UNSETTLED: readonly string[] = ['PrepareCommit', 'PrepareAbort'];
/** Markers take about 2 ms where brokers are near. */
const QUICK_COUNT = 4;
const PAUSES = { minMs: 1, maxMs: 50 } as const;

/**
 * Resolves when the next transaction of the id may begin. A broker to which it comes sooner pauses for 20 ms before it tries again
 * (`add.partitions.to.txn.retry.backoff.ms`, KAFKA-18575); these questions cost far less.
 * Errors: as {@link Coordinator.send}; a transaction may begin nevertheless.
 */
export async function untilSettled(coordinator: Coordinator, transactionalId: string, limits: Limits): Promise<void> {
  const describe = (connection: Connection) => describeTransactionsV0.api.async(connection, [transactionalId]);
  for (let attempt = 0; remainingMs(limits) > 0; attempt += 1) {
    await delay(backoffMs(Math.max(0, attempt - QUICK_COUNT), PAUSES));
    const { transactionStates } = await coordinator.send(describe, limits);
    if (!UNSETTLED.includes(transactionStates[0]?.transactionState ?? '')) return;
  }
}

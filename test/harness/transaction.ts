/** Transactions of a client beside the bridges, by kafkajs. */
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import type { Producer } from 'kafkajs';
import { unique, type WrittenMessage } from './kafka-view.ts';

export type TransactionEnd = 'commit' | 'abort';

/** Writes messages in a transaction, and resolves when the marker that ends it stands behind them in the log. */
export async function writeInTransaction(
  bootstrap: string,
  { topic, messages, end }: { topic: string; messages: readonly WrittenMessage[]; end: TransactionEnd },
): Promise<void> {
  const transactionalId = unique('transaction');
  await withProducer(bootstrap, transactionalId, async (producer) => {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [...messages] });
    await transaction[end]();
  });
  await untilMarked(bootstrap, transactionalId);
}

/** Kafka responds to the end of a transaction before it writes the markers, and lets the next producer with its id begin afterwards (KIP-98). */
export async function untilMarked(bootstrap: string, transactionalId: string): Promise<void> {
  await withProducer(bootstrap, transactionalId, async (next) => {
    await (await next.transaction()).abort();
  });
}

async function withProducer(
  bootstrap: string,
  transactionalId: string,
  use: (producer: Producer) => Promise<void>,
): Promise<void> {
  const producer = transactionalProducer(bootstrap, transactionalId);
  await producer.connect();
  try {
    await use(producer);
  } finally {
    await producer.disconnect();
  }
}

export function transactionalProducer(bootstrap: string, transactionalId = unique('transaction')): Producer {
  return independentClient(bootstrap).producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
}

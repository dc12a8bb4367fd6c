/** The slots that a lane is to free with its next transaction, and those who wait for that. */

import type { Limits } from '../kafka/client/limits.ts';
import { TransactionEnded } from '../kafka/transactions/transaction-ended.ts';
import type { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import type { RecordToProduce } from '../records.ts';
import { CLAIM_KEY, encodeClaim, freeClaim } from './claims.ts';
import { SLOT_TOPIC } from './topics.ts';

export class LeavingSlots {
  readonly #slots = new Set<number>();
  /** Resolve when their slots are freed, or not the lane's any more. */
  #waiting: { slots: readonly number[]; resolve: () => void }[] = [];

  get size(): number {
    return this.#slots.size;
  }

  add(slots: readonly number[]): void {
    for (const slot of slots) this.#slots.add(slot);
  }

  /** Resolves when none of them is to be freed any more. */
  async untilGone(slots: readonly number[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ slots, resolve });
    this.#wake();
    await promise;
  }

  /** Those that the next transaction frees: the lane holds them still. */
  heldBy(holds: (slot: number) => boolean): readonly number[] {
    this.delete([...this.#slots].filter((slot) => !holds(slot)));
    return [...this.#slots];
  }

  delete(slots: readonly number[]): void {
    for (const slot of slots) this.#slots.delete(slot);
    this.#wake();
  }

  clear(): void {
    this.#slots.clear();
    this.#wake();
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter(({ slots, resolve }) => {
      const isOpen = slots.some((slot) => this.#slots.has(slot));
      if (!isOpen) resolve();
      return isOpen;
    });
  }
}

/** Stores claims that free the slots, in the transaction that is open. Errors: `TransactionEnded`. */
export async function storeFreedom(
  producer: TransactionalProducer,
  slots: readonly number[],
  limits: Limits,
): Promise<void> {
  if (slots.length === 0) return;
  const batches = slots.map((slot) => ({
    topic: SLOT_TOPIC,
    partition: slot,
    records: [recordOf(CLAIM_KEY, encodeClaim(freeClaim(slot)))],
  }));
  const outcomes = await producer.send(batches, limits);
  const refused = outcomes.find((outcome) => outcome.kind === 'refused');
  if (refused !== undefined) throw new TransactionEnded(`claims were refused: ${refused.message}`, {});
}

export function recordOf(key: Buffer, value: Buffer): RecordToProduce {
  return { key, value, headers: undefined, partition: undefined, timestampMs: undefined };
}

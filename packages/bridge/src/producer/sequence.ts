/**
 * Numbers the batches of one partition, so that a broker stores each once however often it is sent (KIP-98).
 *
 * A batch that may be stored must be sent again unchanged, or never: the broker would take another batch with its numbers for it,
 * and drop that one. So giving such a batch up begins a new epoch, which also makes the broker refuse the batch if it arrives late.
 * Another producer id would not, so a partition keeps its id. As each partition has one batch in flight at a time, it may have an
 * epoch of its own (KIP-360).
 */
import type { BatchStamp } from '../kafka/produce/record-batch-writer.ts';

/** Numbers are 32 bits without the sign, and wrap around to 0. */
const SEQUENCE_COUNT = 2 ** 31;
export const MAX_EPOCH = 2 ** 15 - 1;

export class PartitionSequence {
  readonly #onSpent: (producerId: bigint) => void;
  #producerId: bigint | undefined;
  #epoch = 0;
  #next = 0;
  #open: BatchStamp | undefined;

  /** `onSpent`: this id can no longer be used. */
  constructor(onSpent: (producerId: bigint) => void) {
    this.#onSpent = onSpent;
  }

  /** Whether the partition has no producer id. */
  get needsProducerId(): boolean {
    return this.#producerId === undefined;
  }

  beginWith(producerId: bigint): void {
    this.#producerId = producerId;
    this.#epoch = 0;
    this.#next = 0;
  }

  /** Whether a batch is in flight, or to be sent again. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** The stamp of the next batch: the same until {@link advance} or {@link abandon}. `undefined` without an id. */
  stamp(): BatchStamp | undefined {
    if (this.#producerId === undefined) return undefined;
    this.#open ??= { producerId: this.#producerId, epoch: this.#epoch, sequence: this.#next };
    return this.#open;
  }

  /** The open batch is stored. */
  advance(recordCount: number): void {
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#next = (this.#next + recordCount) % SEQUENCE_COUNT;
  }

  /** The open batch is not sent again unchanged. */
  abandon(): void {
    if (this.#open === undefined) return;
    if (this.#epoch === MAX_EPOCH) {
      this.startOver();
      return;
    }
    this.#open = undefined;
    this.#epoch += 1;
    this.#next = 0;
  }

  /** The broker knows another history of the producer: the id is not used again. */
  startOver(): void {
    if (this.#open === undefined) return;
    const { producerId } = this.#open;
    this.#open = undefined;
    this.#producerId = undefined;
    this.#onSpent(producerId);
  }
}

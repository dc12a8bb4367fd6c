/**
 * Numbers the batches of one partition, so that a broker stores each once however often it is sent (KIP-98).
 *
 * A batch of which nobody knows whether it is stored must go again as it was, or not at all: another one with its numbers
 * would be taken for it, and lost. So whoever gives such a batch up begins a new epoch, which also keeps it from coming
 * late; under another id it would not, so a partition keeps the id that it began with. As it has one batch on its way at a
 * time, it may have an epoch of its own, too (KIP-360).
 */
import type { BatchStamp } from '../kafka/produce/record-batch-writer.ts';

/** Numbers are 32 bits without the sign, and begin anew at 0. */
const SEQUENCE_COUNT = 2 ** 31;
export const MAX_EPOCH = 2 ** 15 - 1;

export class PartitionSequence {
  readonly #onSpent: (producerId: bigint) => void;
  #producerId: bigint | undefined;
  #epoch = 0;
  #next = 0;
  #open: BatchStamp | undefined;

  /** `onSpent`: this id cannot be used here any longer. */
  constructor(onSpent: (producerId: bigint) => void) {
    this.#onSpent = onSpent;
  }

  /** Whether there is no id for stamps, yet or any longer. */
  get needsProducerId(): boolean {
    return this.#producerId === undefined;
  }

  beginWith(producerId: bigint): void {
    this.#producerId = producerId;
    this.#epoch = 0;
    this.#next = 0;
  }

  /** Whether a batch is on its way, or goes again. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Of the next batch: the same until {@link advance} or {@link abandon}. `undefined` where there is no id. */
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

  /** The open batch does not go again as it was. */
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

  /** The broker knows another history than this one: nothing more goes under this id. */
  startOver(): void {
    if (this.#open === undefined) return;
    const { producerId } = this.#open;
    this.#open = undefined;
    this.#producerId = undefined;
    this.#onSpent(producerId);
  }
}

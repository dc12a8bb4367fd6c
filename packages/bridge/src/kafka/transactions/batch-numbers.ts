/** The numbers of a producer's records: brokers store each batch that follows the one before, once (KIP-98). */
import { partitionKey, type TopicPartition } from '../../records.ts';

/** Numbers are 32 bits without the sign, and wrap around to 0. */
const NUMBER_COUNT = 2 ** 31;

export class BatchNumbers {
  readonly #next = new Map<string, number>();

  /** The number of the partition's next record. */
  next({ topic, partition }: TopicPartition): number {
    return this.#next.get(partitionKey(topic, partition)) ?? 0;
  }

  /** A batch of so many records is stored. */
  advance(batch: TopicPartition, recordCount: number): void {
    this.#next.set(partitionKey(batch.topic, batch.partition), (this.next(batch) + recordCount) % NUMBER_COUNT);
  }

  /** In another epoch, and for another producer id, numbers begin at 0 again. */
  clear(): void {
    this.#next.clear();
  }
}

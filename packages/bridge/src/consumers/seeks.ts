/** Positions that are not committed, such as those of a seek: logged for the next owner until a commit replaces them. */
import type { LoggedSeek } from '../ownership/session-entry.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';

export class Seeks {
  readonly #offsets = new Map<string, PartitionOffset>();
  /** From the previous owner, for the first time that the partitions are read here. */
  #restored = new Map<string, PartitionOffset>();

  get logged(): LoggedSeek[] {
    return [...this.#offsets.values()].map(({ topic, partition, offset }) => ({
      topic,
      partition,
      to: String(offset),
    }));
  }

  /** Keeps the positions of `sought`; whether there were any. */
  keep(positions: readonly PartitionOffset[], sought: readonly TopicPartition[]): boolean {
    const keys = new Set(sought.map(keyOf));
    const kept = positions.filter((position) => keys.has(keyOf(position)));
    for (const position of kept) this.#offsets.set(keyOf(position), position);
    return kept.length > 0;
  }

  /** Forgets the positions of committed partitions. Whether any was kept. */
  forget(committed: readonly TopicPartition[]): boolean {
    let isChanged = false;
    for (const partition of committed) isChanged = this.#offsets.delete(keyOf(partition)) || isChanged;
    return isChanged;
  }

  clear(): void {
    this.#offsets.clear();
    this.#restored.clear();
  }

  restore(seeks: readonly LoggedSeek[]): void {
    for (const { topic, partition, to } of seeks) {
      this.#offsets.set(partitionKey(topic, partition), { topic, partition, offset: BigInt(to) });
    }
    this.#restored = new Map(this.#offsets);
  }

  /** The previous owner's positions of the first partitions that are read here; once. */
  takeRestored(partitions: readonly TopicPartition[]): PartitionOffset[] {
    const found = partitions.flatMap((partition) => this.#restored.get(keyOf(partition)) ?? []);
    if (partitions.length > 0) this.#restored.clear();
    return found;
  }

  /** Forgets the other partitions, which other members read and commit from now on. Whether any was kept. */
  retain(partitions: readonly TopicPartition[]): boolean {
    const keys = new Set(partitions.map(keyOf));
    const gone = [...this.#offsets.keys()].filter((key) => !keys.has(key));
    for (const key of gone) this.#offsets.delete(key);
    return gone.length > 0;
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}

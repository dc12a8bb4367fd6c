/**
 * Where partitions without a commit began. Kept where several Kafka clusters stand in for each other: the session log may reach the other cluster before
 * the first commit does, and a consumer that began at the end there would skip records.
 */
import type { LoggedSeek } from '../ownership/session-entry.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';

/** A consumer of more partitions may have as many in its subscription, and its entry has a limit. */
const MAX_COUNT = 1000;

export class Begun {
  readonly #offsets = new Map<string, PartitionOffset>();

  /** `undefined`: nothing to log. */
  get logged(): LoggedSeek[] | undefined {
    if (this.#offsets.size === 0) return undefined;
    return [...this.#offsets.values()].map(({ topic, partition, offset }) => ({
      topic,
      partition,
      to: String(offset),
    }));
  }

  /** Whether there was something new. */
  keep(found: readonly PartitionOffset[]): boolean {
    let isChanged = false;
    for (const position of found) {
      const key = keyOf(position);
      if (this.#offsets.size >= MAX_COUNT && !this.#offsets.has(key)) continue;
      isChanged ||= this.#offsets.get(key)?.offset !== position.offset;
      this.#offsets.set(key, position);
    }
    return isChanged;
  }

  restore(begun: readonly LoggedSeek[]): void {
    for (const { topic, partition, to } of begun) {
      this.#offsets.set(partitionKey(topic, partition), { topic, partition, offset: BigInt(to) });
    }
  }

  of(partitions: readonly TopicPartition[]): PartitionOffset[] {
    if (this.#offsets.size === 0) return [];
    return partitions.flatMap((partition) => this.#offsets.get(keyOf(partition)) ?? []);
  }

  clear(): void {
    this.#offsets.clear();
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}

/** The offset syncs of all partitions of one source, within a bound that they share. */
import { partitionKey, type TopicPartition } from '../records.ts';
import type { OffsetSync } from './mirror-maker.ts';
import { PartitionSyncs, type SyncPair } from './partition-syncs.ts';

/** Of one partition. */
const MAX_SYNCS = 4096;
/** Of all partitions, 16 bytes each: with more partitions, each has fewer. */
const MAX_TOTAL_SYNCS = 2_097_152;
/** However many partitions there are. */
const MIN_SYNCS = 64;

export class SyncIndex {
  readonly #partitions = new Map<string, TopicPartition & { syncs: PartitionSyncs }>();

  add({ topic, partition, upstream, downstream }: OffsetSync): void {
    const key = partitionKey(topic, partition);
    let known = this.#partitions.get(key);
    if (known === undefined) {
      known = { topic, partition, syncs: new PartitionSyncs(() => this.#share) };
      this.#partitions.set(key, known);
    }
    known.syncs.add({ upstream: Number(upstream), downstream: Number(downstream) });
  }

  /** Before the topic of syncs is read from its beginning. */
  clear(): void {
    this.#partitions.clear();
  }

  get partitions(): IterableIterator<TopicPartition> {
    return this.#partitions.values();
  }

  get partitionCount(): number {
    return this.#partitions.size;
  }

  /** Of the whole index. */
  get syncCount(): number {
    let count = 0;
    for (const { syncs } of this.#partitions.values()) count += syncs.count;
    return count;
  }

  of({ topic, partition }: TopicPartition): PartitionSyncs | undefined {
    return this.#partitions.get(partitionKey(topic, partition))?.syncs;
  }

  /** The newest record that is known to be copied. */
  newest(place: TopicPartition): SyncPair | undefined {
    return this.of(place)?.newest;
  }

  get #share(): number {
    return Math.max(MIN_SYNCS, Math.min(MAX_SYNCS, Math.floor(MAX_TOTAL_SYNCS / this.#partitions.size)));
  }
}

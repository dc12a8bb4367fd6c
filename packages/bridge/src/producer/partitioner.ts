/**
 * Chooses the partition of records whose clients chose none: by their key, as every Kafka client does; or one partition for all
 * records without a key until a batch is sent, so that they share the batch (KIP-480).
 */
import type { TopicInfo } from '../kafka/client/metadata.ts';
import { partitionForKey } from '../kafka/produce/produce.ts';
import type { RecordToProduce } from '../records.ts';

export class Partitioner {
  readonly #random: () => number;
  /** The partition that records without a key go to until it is sent, by topic. */
  readonly #sticky = new Map<string, number>();

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(info: TopicInfo, { key }: RecordToProduce): number {
    if (key !== null) return partitionForKey(key, info.partitions.length);
    let partition = this.#sticky.get(info.name);
    if (partition === undefined || partition >= info.partitions.length) {
      const led = info.partitions.filter(({ leader }) => leader >= 0);
      const candidates = led.length > 0 ? led : info.partitions;
      partition = candidates[Math.floor(this.#random() * candidates.length)]?.partition ?? 0;
      this.#sticky.set(info.name, partition);
    }
    return partition;
  }

  /** A batch of the topic was sent: later records go to another partition. */
  onSent(topic: string): void {
    this.#sticky.delete(topic);
  }
}

/**
 * Partitions that stored nothing for a while: without a leader, without enough replicas, or deleted. One of them would hold up the
 * transaction of all, so its requests wait apart, and a transaction tries it from time to time.
 */
import { partitionKey, type TopicPartition } from '../records.ts';

/** How long a partition may take to store a batch; the first times after trouble less. */
const PATIENCE_MS = 3_000;
const FIRST_TRIAL_MS = 750;
/** How long its requests wait for the next trial; doubled each time. */
const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 4_000;
const FORGOTTEN_AFTER_MS = 60_000;

interface Trouble {
  count: number;
  untilMs: number;
}

export class PartitionTrouble {
  readonly #troubles = new Map<string, Trouble>();

  /** These partitions did not store their batches in time. */
  note(partitions: readonly TopicPartition[], nowMs: number): void {
    for (const [key, { untilMs }] of this.#troubles) {
      if (untilMs + FORGOTTEN_AFTER_MS < nowMs) this.#troubles.delete(key);
    }
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      const count = (this.#troubles.get(key)?.count ?? 0) + 1;
      const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (count - 1));
      this.#troubles.set(key, { count, untilMs: nowMs + restMs });
    }
  }

  settled({ topic, partition }: TopicPartition): void {
    if (this.#troubles.size > 0) this.#troubles.delete(partitionKey(topic, partition));
  }

  /** Until when requests for the partition wait, on the clock of `nowMs`; 0: it may be tried. */
  restsUntilMs({ topic, partition }: TopicPartition, nowMs: number): number {
    if (this.#troubles.size === 0) return 0;
    const untilMs = this.#troubles.get(partitionKey(topic, partition))?.untilMs ?? 0;
    return untilMs > nowMs ? untilMs : 0;
  }

  /** How long batches for these partitions may take. */
  patienceMs(partitions: readonly TopicPartition[]): number {
    if (this.#troubles.size === 0) return PATIENCE_MS;
    const counts = partitions.flatMap(
      ({ topic, partition }) => this.#troubles.get(partitionKey(topic, partition))?.count ?? [],
    );
    return counts.length === 0 ? PATIENCE_MS : Math.min(PATIENCE_MS, FIRST_TRIAL_MS * 2 ** (Math.min(...counts) - 1));
  }
}

/** Positions that are not committed: logged for the next owner until a commit replaces them. */
import type { LoggedSeek } from '../ownership/session-entry.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';

/** `sought`: the client moved there. `received`: it read up to there. */
export type SeekKind = 'sought' | 'received';

interface Kept extends PartitionOffset {
  kind: SeekKind;
}

/** Of the previous owner. */
export interface RestoredPositions {
  sought: PartitionOffset[];
  /** A commit behind them counts more. */
  received: PartitionOffset[];
}

export class Seeks {
  readonly #offsets = new Map<string, Kept>();
  /** From the previous owner, for the first time that the partitions are read here. */
  #restored = new Map<string, Kept>();

  get logged(): LoggedSeek[] {
    return [...this.#offsets.values()].map(({ topic, partition, offset, kind }) => {
      const to = String(offset);
      return kind === 'sought' ? { topic, partition, to } : { topic, partition, to, isReceived: true };
    });
  }

  /** Keeps the positions of these partitions; whether there were any. What was read after a seek is behind no commit of the group. */
  keep(positions: readonly PartitionOffset[], partitions: readonly TopicPartition[], kind: SeekKind): boolean {
    const keys = new Set(partitions.map(keyOf));
    const kept = positions.filter((position) => keys.has(keyOf(position)));
    for (const { topic, partition, offset } of kept) {
      const key = partitionKey(topic, partition);
      const isSought = kind === 'sought' || this.#offsets.get(key)?.kind === 'sought';
      this.#offsets.set(key, { topic, partition, offset, kind: isSought ? 'sought' : 'received' });
    }
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
    for (const { topic, partition, to, isReceived = false } of seeks) {
      const kind = isReceived ? 'received' : 'sought';
      this.#offsets.set(partitionKey(topic, partition), { topic, partition, offset: BigInt(to), kind });
    }
    this.#restored = new Map(this.#offsets);
  }

  /** The previous owner's positions of the first partitions that are read here; once. */
  takeRestored(partitions: readonly TopicPartition[]): RestoredPositions {
    const found = partitions.flatMap((partition) => this.#restored.get(keyOf(partition)) ?? []);
    if (partitions.length > 0) this.#restored.clear();
    const positions = Map.groupBy(found, ({ kind }) => kind);
    return { sought: positions.get('sought') ?? [], received: positions.get('received') ?? [] };
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

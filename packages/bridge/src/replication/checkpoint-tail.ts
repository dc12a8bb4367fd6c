/** MirrorMaker's checkpoints: what the groups of the other cluster have committed there. */
import type { Cluster } from '../kafka/client/cluster.ts';
import { partitionKey } from '../records.ts';
import { type Checkpoint, checkpointsTopic, decodeCheckpoint, decodeCheckpointKey } from './mirror-maker.ts';
import { MirrorTail } from './mirror-tail.ts';

export class CheckpointTail {
  readonly tail: MirrorTail;
  /** By group and partition. */
  readonly #groups = new Map<string, Map<string, Checkpoint>>();

  constructor(target: Cluster, { source, requestTimeoutMs }: { source: string; requestTimeoutMs: number }) {
    this.tail = new MirrorTail(target, {
      topic: checkpointsTopic(source),
      requestTimeoutMs,
      onRestart: () => this.#groups.clear(),
      onRecord: (record) => {
        const checkpoint = decodeCheckpoint(record);
        if (checkpoint !== undefined) this.#put(checkpoint);
        else if (record.value === null) this.#remove(record.key);
      },
    });
  }

  of(group: string): Checkpoint[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  #put(checkpoint: Checkpoint): void {
    const known = this.#groups.get(checkpoint.group) ?? new Map<string, Checkpoint>();
    this.#groups.set(checkpoint.group, known.set(partitionKey(checkpoint.topic, checkpoint.partition), checkpoint));
  }

  #remove(key: Buffer | null): void {
    const place = decodeCheckpointKey(key);
    if (place === undefined) return;
    const known = this.#groups.get(place.group);
    known?.delete(partitionKey(place.topic, place.partition));
    if (known?.size === 0) this.#groups.delete(place.group);
  }
}

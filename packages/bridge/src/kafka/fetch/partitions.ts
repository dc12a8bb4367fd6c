/** The partitions of one consumer: positions, committed offsets, and fetched records that were not yet taken. */
import { type PartitionOffset, partitionKey, type TopicPartition } from '../../records.ts';
import type { OffsetSpec } from '../client/list-offsets.ts';
import { newPartition, type Partition, type ResetTarget } from './partition.ts';
import { EMPTY_BUFFER, hasRecords, type RecordBuffer } from './record-buffer.ts';
import { type ReadTo, RecordReader } from './record-reader.ts';

/** A partition without a position. */
export interface Unpositioned extends TopicPartition {
  /** Where to find the position, if the committed offset does not count. */
  resetTo: ResetTarget | undefined;
  /** Its topic was recreated since this consumer read it: without a committed offset, all records are new. */
  isNew?: boolean;
}

/** What {@link Partitions.advance} changed, so that it can be taken back. */
export type Checkpoint = Map<Partition, { position: bigint | undefined; buffer: RecordBuffer }>;

export class Partitions {
  /** Whether a partition's topic was recreated since its position was found. */
  readonly #isMadeAnew: (partition: Partition) => boolean;
  #byKey = new Map<string, Partition>();
  /** By topic: the topic id under which revoked partitions were read. */
  readonly #leftTopicIds = new Map<string, string>();
  #rotation = 0;
  /** It keeps what was taken last. */
  #lastCheckpoint: Checkpoint | undefined;

  constructor(isMadeAnew: (partition: Partition) => boolean) {
    this.#isMadeAnew = isMadeAnew;
  }

  /** Replaces the partitions; those that stay keep their positions and fetched records. Returns whether they changed. */
  assign(partitions: readonly TopicPartition[]): boolean {
    const previous = this.#byKey;
    this.#byKey = new Map(
      partitions.map(({ topic, partition }) => {
        const key = partitionKey(topic, partition);
        return [key, previous.get(key) ?? this.#begun(topic, partition)];
      }),
    );
    for (const [key, { topic, topicId }] of previous) {
      if (topicId !== undefined && !this.#byKey.has(key)) this.#leftTopicIds.set(topic, topicId);
    }
    return previous.size !== this.#byKey.size || ![...previous.keys()].every((key) => this.#byKey.has(key));
  }

  /** A group revokes a topic that is deleted, and assigns it again when it is recreated. */
  #begun(topic: string, partition: number): Partition {
    return { ...newPartition(topic, partition), topicId: this.#leftTopicIds.get(topic) };
  }

  get all(): Partition[] {
    return [...this.#byKey.values()];
  }

  get assigned(): TopicPartition[] {
    return this.all.map(({ topic, partition }) => ({ topic, partition }));
  }

  get unpositioned(): Unpositioned[] {
    return this.all
      .filter(({ position }) => position === undefined)
      .map((found) => {
        const { topic, partition, resetTo } = found;
        return { topic, partition, resetTo, ...(this.#isMadeAnew(found) ? { isNew: true } : {}) };
      });
  }

  get isPositioned(): boolean {
    for (const { position } of this.#byKey.values()) if (position === undefined) return false;
    return true;
  }

  /** All known positions. */
  get positions(): PartitionOffset[] {
    return this.all.flatMap(({ topic, partition, position }) =>
      position === undefined ? [] : [{ topic, partition, offset: position }],
    );
  }

  /** Positions that differ from the committed offsets, except those of a recreated topic, which do not belong to it. */
  get uncommitted(): PartitionOffset[] {
    return this.uncommittedBefore(undefined);
  }

  /** The same, without what an advance has moved. */
  uncommittedBefore(checkpoint: Checkpoint | undefined): PartitionOffset[] {
    return this.all.flatMap((found) => {
      const { topic, partition, committed } = found;
      const { position } = checkpoint?.get(found) ?? found;
      if (position === undefined || position === committed || this.#isMadeAnew(found)) return [];
      return [{ topic, partition, offset: position }];
    });
  }

  /** Ends as Kafka reported them, by {@link partitionKey}. */
  noteEnds(ends: ReadonlyMap<string, bigint>): void {
    for (const [key, found] of this.#byKey) {
      const end = ends.get(key);
      if (end !== undefined) found.logEnd = end;
    }
  }

  /** Whether there are partitions, and the position and the end of each are known. */
  get isLagKnown(): boolean {
    if (this.#byKey.size === 0) return false;
    for (const { position, logEnd } of this.#byKey.values()) {
      if (position === undefined || logEnd === undefined) return false;
    }
    return true;
  }

  /** Records between the positions and the ends of the partitions, as far as both are known. */
  get lagRecords(): number {
    let lag = 0;
    for (const { position, logEnd } of this.#byKey.values()) {
      if (position !== undefined && logEnd !== undefined && logEnd > position) lag += Number(logEnd - position);
    }
    return lag;
  }

  /** Sets positions of partitions that have none. */
  setPositions(offsets: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const found = this.#byKey.get(partitionKey(topic, partition));
      if (found === undefined || found.position !== undefined) continue;
      found.position = offset;
      found.resetTo = undefined;
      if (this.#isMadeAnew(found)) found.topicId = undefined;
    }
  }

  /** Moves a position, and drops fetched records. Returns whether the partition is assigned. */
  seek({ topic, partition }: TopicPartition, to: bigint | OffsetSpec): boolean {
    const found = this.#byKey.get(partitionKey(topic, partition));
    if (found === undefined) return false;
    found.buffer = EMPTY_BUFFER;
    found.topicId = undefined;
    if (typeof to === 'bigint') {
      found.position = to;
      found.resetTo = undefined;
    } else {
      found.position = undefined;
      found.resetTo = to;
    }
    return true;
  }

  setCommitted(offsets: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const found = this.#byKey.get(partitionKey(topic, partition));
      if (found !== undefined) found.committed = offset;
    }
  }

  get hasRecords(): boolean {
    for (const { buffer } of this.#byKey.values()) if (hasRecords(buffer)) return true;
    return false;
  }

  /** The next records, at most `maxCount`; positions stay where they are. */
  read(maxCount: number): RecordReader {
    const { all } = this;
    const first = all.length === 0 ? 0 : this.#rotation % all.length;
    return new RecordReader([...all.slice(first), ...all.slice(0, first)], maxCount);
  }

  /** Whether the records that were read are still the next ones. */
  isCurrent(reader: RecordReader): boolean {
    return reader.readTo.every((read) => this.#isAt(read));
  }

  /** Moves the positions behind the records that were read. */
  advance(reader: RecordReader): Checkpoint {
    const checkpoint: Checkpoint = new Map();
    for (const read of reader.readTo) {
      const { partition } = read;
      if (!this.#isAt(read)) continue;
      const { position, buffer } = partition;
      checkpoint.set(partition, { position, buffer });
      partition.position = read.position;
      partition.buffer = { batches: buffer.batches.slice(read.batchCount), next: read.next, end: buffer.end };
      for (let index = 0; index < read.batchCount; index += 1) buffer.batches[index]?.release();
      // More may have been fetched meanwhile.
      const [following] = partition.buffer.batches;
      if (read.next.index === 0) partition.position = following?.firstOffset ?? buffer.end;
    }
    this.#rotation += 1;
    this.#lastCheckpoint = checkpoint;
    return checkpoint;
  }

  /** Moves positions back, for partitions that are still assigned. */
  takeBack(checkpoint: Checkpoint): void {
    for (const [partition, before] of checkpoint) {
      if (this.#byKey.get(partitionKey(partition.topic, partition.partition)) === partition) {
        Object.assign(partition, before);
      }
    }
  }

  /** Drops fetched records, also those that a checkpoint keeps: they are fetched again when they are read. */
  dropRecords(): void {
    for (const holder of [...this.#byKey.values(), ...(this.#lastCheckpoint?.values() ?? [])]) {
      holder.buffer = EMPTY_BUFFER;
    }
  }

  /** False if the partition was revoked and assigned again, or its position moved, while its records were read. */
  #isAt({ partition, buffer }: ReadTo): boolean {
    if (this.#byKey.get(partitionKey(partition.topic, partition.partition)) !== partition) return false;
    const { batches, next } = partition.buffer;
    return batches[0] === buffer.batches[0] && next.index === buffer.next.index;
  }
}

/**
 * Finds where a consumer's partitions are read from: the commit of its group, an end to which it was sent, or its reset policy.
 * Every change of positions goes through here, and makes a running search obsolete.
 */
import { BridgeError, listText } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { toBridgeError } from '../kafka/client/failure.ts';
import { bounded, type Limits, within } from '../kafka/client/limits.ts';
import { listOffsets, type OffsetSpec } from '../kafka/client/list-offsets.ts';
import { throwForbidden } from '../kafka/client/metadata.ts';
import type { Fetcher } from '../kafka/fetch/fetcher.ts';
import type { Unpositioned } from '../kafka/fetch/partitions.ts';
import type { GroupCoordinator } from '../kafka/group/coordinator.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';
import { type ResetPolicy, resetTimestampMs } from './reset-policy.ts';
import type { SessionOptions } from './session-options.ts';

export interface PositionsDependencies {
  cluster: Cluster;
  coordinator: GroupCoordinator;
  fetcher: Fetcher;
  /** Called when partitions without a commit begin at a place that depends on the moment: at their end, or by the clock. */
  onBegun: (found: readonly PartitionOffset[], limits: Limits) => Promise<void>;
  /** Where partitions without a commit began before, as far as that was kept. */
  begunOf: (partitions: readonly TopicPartition[]) => readonly PartitionOffset[];
}

/** Maximum age of metadata that lacks a partition: the partition may be new. */
const MISSING_PARTITION_AGE_MS = 500;

export class Positions {
  readonly #dependencies: PositionsDependencies;
  readonly #options: SessionOptions;
  /** Where partitions whose commit is not known yet continue, unless it is behind that. */
  readonly #received = new Map<string, PartitionOffset>();
  #searching: Promise<void> | undefined;
  /** Counts changes that make a running search obsolete. */
  #epoch = 0;

  constructor(options: SessionOptions, dependencies: PositionsDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Replaces the partitions; those that stay keep their positions. */
  assign(partitions: readonly TopicPartition[]): void {
    this.#invalidate();
    this.#dependencies.fetcher.assign(partitions);
    const keys = new Set(partitions.map(keyOf));
    for (const key of this.#received.keys()) if (!keys.has(key)) this.#received.delete(key);
  }

  /** Continues at these positions, or where the group has committed since, if that is behind them. */
  continueAt(received: readonly PartitionOffset[]): void {
    for (const position of received) this.#received.set(keyOf(position), position);
  }

  /** Moves a position, to an offset or to an end that is looked up later. Whether the partition is assigned. */
  seek(partition: TopicPartition, to: bigint | OffsetSpec): boolean {
    if (!this.#dependencies.fetcher.seek(partition, to)) return false;
    this.#received.delete(keyOf(partition));
    this.#invalidate();
    return true;
  }

  /** As {@link seek}. Errors: `notAssigned`, `negativeOffset`. */
  seekTo({ topic, partition }: TopicPartition, to: bigint | OffsetSpec): void {
    if (typeof to === 'bigint' && to < 0n) throw new BridgeError('negativeOffset');
    if (this.seek({ topic, partition }, to)) return;
    throw new BridgeError('notAssigned', { message: `No current assignment for partition ${topic}-${partition}` });
  }

  /** Finds where partitions continue that the previous owner read, as far as that is open. Errors: as {@link findKnown}. */
  async findContinued(limits: Limits): Promise<void> {
    if (this.#received.size > 0) await this.findKnown(limits);
  }

  /** As {@link find}, without those that cannot be found: the next poll reports why. Errors: `kafkaUnavailable`. */
  async findKnown(limits: Limits): Promise<void> {
    try {
      if (await this.find(limits)) return;
    } catch {
      return;
    }
    throw new BridgeError('kafkaUnavailable');
  }

  /**
   * Finds the positions of all partitions that exist. Whether Kafka responded in time; otherwise the search continues.
   * Errors: `kafkaRefused` where a position cannot be found; the signal's reason.
   */
  async find(limits: Limits): Promise<boolean> {
    let epoch: number;
    do {
      if (this.#dependencies.fetcher.partitions.isPositioned) return true;
      epoch = this.#epoch;
      try {
        await bounded(this.#startSearch(), limits);
      } catch (error) {
        if (limits.signal?.aborted === true) throw error;
        const known = toBridgeError(error);
        if (known.code === 'kafkaUnavailable') return false;
        throw known;
      }
    } while (epoch !== this.#epoch);
    return true;
  }

  /** Makes the running search obsolete. */
  #invalidate(): void {
    this.#epoch += 1;
    this.#searching = undefined;
  }

  #startSearch(): Promise<void> {
    if (this.#searching !== undefined) return this.#searching;
    const searching = this.#search(within(this.#options.requestTimeoutMs)).finally(() => {
      if (this.#searching === searching) this.#searching = undefined;
    });
    // Callers that wait see the failure. The search may outlive its poll.
    searching.catch(() => {});
    this.#searching = searching;
    return searching;
  }

  async #search(limits: Limits): Promise<void> {
    const { coordinator, fetcher, begunOf } = this.#dependencies;
    const { partitions } = fetcher;
    const epoch = this.#epoch;
    const existing = await this.#existing(partitions.unpositioned, limits);
    if (existing.length === 0 || epoch !== this.#epoch) return;
    const fromGroup = existing.filter(({ resetTo }) => resetTo === undefined);
    if (fromGroup.length > 0) {
      const committed = await coordinator.committed(fromGroup, limits, {
        isStable: this.#options.isolationLevel === 'read_committed',
      });
      if (epoch !== this.#epoch) return;
      partitions.setCommitted(committed);
      partitions.setPositions(this.#takeReceived(fromGroup, committed));
      partitions.setPositions(committed);
      partitions.setPositions(begunOf(fromGroup.filter(({ isNew }) => isNew !== true)));
    }
    const keys = new Set(existing.map(keyOf));
    await this.#reset(
      partitions.unpositioned.filter((partition) => keys.has(keyOf(partition))),
      epoch,
      limits,
    );
  }

  /** Those that are behind no commit; once. */
  #takeReceived(partitions: readonly Unpositioned[], committed: readonly PartitionOffset[]): PartitionOffset[] {
    if (this.#received.size === 0) return [];
    const commits = new Map(committed.map((position) => [keyOf(position), position.offset]));
    return partitions.flatMap(({ topic, partition, isNew = false }) => {
      const key = partitionKey(topic, partition);
      const received = this.#received.get(key);
      this.#received.delete(key);
      return received === undefined || isNew || (commits.get(key) ?? 0n) > received.offset ? [] : [received];
    });
  }

  /** Positions partitions at the ends to which they were sent, or by the reset policy. */
  async #reset(partitions: readonly Unpositioned[], epoch: number, limits: Limits): Promise<void> {
    const { cluster, fetcher, onBegun } = this.#dependencies;
    const { resetPolicy, isolationLevel } = this.#options;
    const byTarget = Map.groupBy(partitions, (unpositioned) => targetOf(unpositioned, resetPolicy));
    for (const spec of ['earliest', 'latest'] as const) {
      const sent = byTarget.get(spec) ?? [];
      if (sent.length === 0) continue;
      const found = await listOffsets(cluster, sent, { spec, isolationLevel, limits });
      if (epoch !== this.#epoch) return;
      fetcher.partitions.setPositions(found);
      if (spec === 'latest') await onBegun(found, limits);
    }
    await this.#resetByTime(byTarget.get('time') ?? [], epoch, limits);
    const lost = byTarget.get('none');
    if (lost !== undefined) throw noOffset(lost);
  }

  /** Positions partitions at the first record of the policy's time, or at their end without such a record. */
  async #resetByTime(partitions: readonly Unpositioned[], epoch: number, limits: Limits): Promise<void> {
    const { cluster, fetcher, onBegun } = this.#dependencies;
    const { resetPolicy, isolationLevel } = this.#options;
    // Compares the time of the bridge with those of the records, as Kafka's own clients do.
    const timestampMs = resetTimestampMs(resetPolicy, Date.now());
    if (partitions.length === 0 || timestampMs === undefined) return;
    const byTime = await listOffsets(cluster, partitions, { spec: timestampMs, isolationLevel, limits });
    const found = byTime.filter(({ offset }) => offset >= 0n);
    const foundKeys = new Set(found.map(keyOf));
    const rest = partitions.filter((partition) => !foundKeys.has(keyOf(partition)));
    if (rest.length > 0) found.push(...(await listOffsets(cluster, rest, { spec: 'latest', isolationLevel, limits })));
    if (epoch !== this.#epoch) return;
    fetcher.partitions.setPositions(found);
    await onBegun(found, limits);
  }

  /** Those that Kafka has. Errors: `kafkaForbidden`. */
  async #existing(partitions: readonly Unpositioned[], limits: Limits): Promise<readonly Unpositioned[]> {
    const { cluster } = this.#dependencies;
    const names = [...new Set(partitions.map(({ topic }) => topic))];
    const hasLeader = ({ topic, partition }: TopicPartition): boolean =>
      (cluster.knownTopic(topic)?.partitions[partition]?.leader ?? -1) >= 0;
    const answers = await cluster.topics(names, limits);
    throwForbidden(answers);
    if (!partitions.every(hasLeader)) await cluster.topics(names, limits, { maxAgeMs: MISSING_PARTITION_AGE_MS });
    return partitions.filter(hasLeader);
  }
}

function targetOf(
  { resetTo, isNew = false }: Unpositioned,
  policy: ResetPolicy,
): 'earliest' | 'latest' | 'none' | 'time' {
  if (resetTo !== undefined && resetTo !== 'policy') return resetTo;
  // Every record of a recreated topic is new.
  if (isNew && policy !== 'none') return 'earliest';
  return policy === 'earliest' || policy === 'latest' || policy === 'none' ? policy : 'time';
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}

function noOffset(partitions: readonly TopicPartition[]): BridgeError {
  const list = listText(partitions.map(({ topic, partition }) => `${topic}-${partition}`));
  return new BridgeError('kafkaRefused', {
    message: `org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset with no reset policy for partitions: [${list}]`,
  });
}

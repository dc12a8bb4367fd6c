/**
 * The replication between this bridge's Kafka cluster and its peer, as promotions and consumers need it: what has been copied and what has
 * not, where a position of the other cluster is in this one, and what is lost with the other one.
 */
import type { LossReport, Promotion, ReplicationStatus, StartPosition } from '@causeway/protocol/clusters.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import type { Limits } from '../kafka/client/limits.ts';
import type { SessionDescription } from '../ownership/session-entry.ts';
import type { PartitionOffset, TopicPartition } from '../records.ts';
import type { SyncMark } from './sync-tail.ts';
import type { OffsetSpan, ReadRecords } from './tail-reader.ts';

/** Committed offsets of the other cluster that are committed in this one now. */
export interface CarriedOver {
  groups: number;
  partitions: number;
  /** Groups that Kafka refused, such as those with members in this cluster, and those for which the time was too short. */
  failed: { group: string; reason: string }[];
}

/** Which way records flow now: from this cluster, to it, or neither as far as this bridge knows. */
export type ReplicationRole = 'source' | 'target' | 'none';

export interface Replication {
  /** Connections to the peer's cluster. */
  readonly peer: Cluster;

  start(): void;
  /** Closes the connections to the peer, too. */
  close(): Promise<void>;

  /** The ends of all topics of the peer that are copied to this cluster. Errors: `kafkaUnavailable`. */
  readEnds(limits: Limits): Promise<PartitionOffset[]>;
  /**
   * How many records the peer has before these ends and this cluster has not: committed ones, counted in the peer where offsets alone do not
   * show it. Errors: `kafkaUnavailable`.
   */
  missing(ends: readonly PartitionOffset[], limits: Limits): Promise<number>;
  /** Waits until nothing is missing, or the limits are over. Returns how many records are missing then. Errors: `kafkaUnavailable`. */
  catchUp(ends: readonly PartitionOffset[], limits: Limits): Promise<number>;

  /** Commits here what MirrorMaker's checkpoints say of these groups of the peer. Never throws. */
  carryOverFromCheckpoints(groups: readonly string[], limits: Limits): Promise<CarriedOver>;
  /** Commits here what these groups have committed in the peer. Never throws. */
  carryOverFromPeer(groups: readonly string[], limits: Limits): Promise<CarriedOver>;
  /** A description with positions of the peer's cluster, for a bridge of this one. Errors: `kafkaUnavailable` before syncs are read. */
  translateDescription(description: SessionDescription, limits: Limits): Promise<SessionDescription>;
  /**
   * Waits until a record of this cluster, and all before it, are copied to the peer. `since`: a mark from before it was stored. Errors: `kafkaUnavailable` when the limits are over first;
   * the signal's reason.
   */
  untilCopied(
    place: TopicPartition,
    offset: bigint,
    options: { since?: SyncMark | undefined; limits: Limits },
  ): Promise<void>;
  /** For {@link untilCopied} of records that are stored from now on. */
  readonly mark: SyncMark;

  /** Returns whether a partition of this cluster was copied to the peer, as far as syncs say. Errors: `kafkaUnavailable`. */
  wasCopied(limits: Limits): Promise<(place: TopicPartition) => boolean>;
  /** Lets MirrorMaker, which does not run, begin to copy from the peer at these positions, if they are ahead of its own. Errors: `kafkaUnavailable`, `kafkaRefused`. */
  advanceMirror(positions: readonly StartPosition[], limits: Limits): Promise<void>;

  /** Whether a topic of this cluster is copied. */
  isMirrored(topic: string): boolean;

  /** What this cluster lacks of the peer's, as far as it was seen: the report of a forced promotion. */
  reportLoss(promotion: Promotion, at: Date): LossReport;
  /**
   * The report of a promotion of the peer by which this cluster was lost, with exact ranges and counts. Errors: `kafkaUnavailable`, also while
   * the peer cannot be read.
   */
  completeReport(report: LossReport, limits: Limits): Promise<LossReport>;
  /** Committed records of this cluster from `from` to before `to`, at least one if there is any. Errors: `kafkaUnavailable`. */
  readRecords(span: OffsetSpan, options: { maxBytes: number; limits: Limits }): Promise<ReadRecords>;
  /** What would be lost if the source of the replication died now; `undefined` while nothing is replicated. */
  status(): ReplicationStatus | undefined;
}

/** Replication by MirrorMaker 2 between two clusters, in whichever direction it runs: its topics are read in both. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LossReport, Promotion, ReplicationStatus, StartPosition } from '@causeway/protocol/clusters.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import { GroupCoordinator } from '../kafka/group/coordinator.ts';
import type { SessionDescription } from '../ownership/session-entry.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';
import { carryOver } from './carry-over.ts';
import { CheckpointTail } from './checkpoint-tail.ts';
import { ConnectOffsets } from './connect-offsets.ts';
import { Direction, type DirectionOptions } from './direction.ts';
import { exactPosition } from './exact-position.ts';
import { completeLossReport } from './loss-report.ts';
import { ReplicationMeter } from './meter.ts';
import { latestPoint, PromotionPoint, type PromotionPoints } from './points.ts';
import type { CarriedOver, Replication, ReplicationRole } from './replication.ts';
import { SourceTopics } from './source-topics.ts';
import { type SyncMark, SyncTail } from './sync-tail.ts';
import { type OffsetSpan, type ReadRecords, readSome } from './tail-reader.ts';
import { type TwoWaySyncs, translateDescription } from './translate.ts';

export interface NamedCluster {
  name: string;
  cluster: Cluster;
}

export interface MirrorReplicationOptions {
  own: NamedCluster;
  peer: NamedCluster;
  requestTimeoutMs: number;
  /** Which way records flow now. */
  role: () => ReplicationRole;
  /** Of both clusters, as far as their logs were read. Default: none. */
  points?: () => PromotionPoints;
  /** Whether MirrorMaker's filters let it copy a topic. Default: every topic that it copies by default. */
  isMirrored?: (topic: string) => boolean;
}

/** What a direction is made of. */
interface Way extends Pick<DirectionOptions, 'back' | 'point'> {
  source: NamedCluster;
  target: NamedCluster;
}

/** One direction, with what is known of it. */
interface Flow {
  topics: SourceTopics;
  syncs: SyncTail;
  direction: Direction;
  meter: ReplicationMeter;
}

const NO_POINTS: PromotionPoints = { own: [], peer: [] };
/** Until a copy that is behind is looked at again. */
const CATCH_UP_INTERVAL_MS = 20;
/** What does not change for this long may be no record. */
const STILL_MS = 200;
/** Topics behind in a status. */
const MOST_TOPICS = 100;
const ROLE_INTERVAL_MS = 250;
/** One scrape of the metrics asks several times. */
const STATUS_MAX_AGE_MS = 50;
/** After this long without a response, a measurement has failed: operators see that at once, and the next one begins. */
const MEASURE_TIMEOUT_MS = 3000;
/** A consumer that moves waits so long for its exact positions, while the other cluster can be read. */
const EXACT_SEEKS_MS = 500;
const MOST_EXACT_SEEKS = 100;

export class MirrorReplication implements Replication {
  readonly peer: Cluster;
  readonly #options: MirrorReplicationOptions;
  /** From the peer to this cluster. */
  readonly #inbound: Flow;
  /** From this cluster to the peer. */
  readonly #outbound: Flow;
  readonly #checkpoints: CheckpointTail;
  readonly #ownPoint: () => PromotionPoint;
  #timer: NodeJS.Timeout | undefined;
  #status: ReplicationStatus | undefined;
  #statusAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MirrorReplicationOptions) {
    this.#options = options;
    const { own, peer, requestTimeoutMs, points = () => NO_POINTS } = options;
    this.peer = peer.cluster;
    this.#ownPoint = latestPoint(() => points().own);
    const peerPoint = latestPoint(() => points().peer);
    const inbound = { source: peer, target: own, point: peerPoint, back: () => this.#outbound.syncs.index };
    this.#inbound = this.#flow(inbound);
    const outbound = { source: own, target: peer, point: this.#ownPoint, back: () => this.#inbound.syncs.index };
    this.#outbound = this.#flow(outbound);
    this.#checkpoints = new CheckpointTail(own.cluster, { source: peer.name, requestTimeoutMs });
  }

  start(): void {
    for (const { tail } of [this.#inbound.syncs, this.#outbound.syncs, this.#checkpoints]) tail.start();
    this.#timer = setInterval(() => this.#follow(), ROLE_INTERVAL_MS);
    this.#follow();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([
      this.#inbound.meter.close(),
      this.#outbound.meter.close(),
      ...[this.#inbound.syncs, this.#outbound.syncs, this.#checkpoints].map(({ tail }) => tail.close()),
    ]);
    await this.peer.close();
  }

  async readEnds(limits: Limits): Promise<PartitionOffset[]> {
    return await this.#inbound.direction.ends({ maxAgeMs: 0, isPartial: false }, limits);
  }

  async missing(ends: readonly PartitionOffset[], limits: Limits): Promise<number> {
    const { direction, syncs } = this.#inbound;
    await syncs.tail.untilLoaded(limits);
    return await direction.count(await direction.spans(ends, limits), 0, limits);
  }

  async catchUp(ends: readonly PartitionOffset[], limits: Limits): Promise<number> {
    const { direction, syncs } = this.#inbound;
    await syncs.tail.untilLoaded(limits);
    for (let stillSinceMs = performance.now(), before = ''; ; ) {
      const open = (await direction.spans(ends, limits)).filter((span) => direction.countOf(span) !== 0);
      if (open.length === 0) return 0;
      const now = JSON.stringify(open);
      if (now !== before) stillSinceMs = performance.now();
      before = now;
      // Nothing has come for a while: perhaps nothing is left to come.
      const isStill = performance.now() - stillSinceMs >= STILL_MS;
      if (isStill && (await this.#countStill(open, limits)) === 0) return 0;
      if (remainingMs(limits) <= CATCH_UP_INTERVAL_MS) return direction.recordsIn(open);
      await delay(CATCH_UP_INTERVAL_MS, undefined, limits.signal === undefined ? {} : { signal: limits.signal });
    }
  }

  /** `undefined` when the limits end first. Errors: `kafkaUnavailable`. */
  async #countStill(open: readonly OffsetSpan[], limits: Limits): Promise<number | undefined> {
    try {
      return await this.#inbound.direction.count(open, STILL_MS, limits);
    } catch (error) {
      if (remainingMs(limits) > 0) throw error;
      return undefined;
    }
  }

  async carryOverFromCheckpoints(groups: readonly string[], limits: Limits): Promise<CarriedOver> {
    const committedThere = async (group: string): Promise<PartitionOffset[]> => {
      await this.#checkpoints.tail.untilLoaded(limits);
      return this.#checkpoints
        .of(group)
        .map(({ topic, partition, upstream }) => ({ topic, partition, offset: upstream }));
    };
    return await this.#carryOver(groups, committedThere, limits);
  }

  async carryOverFromPeer(groups: readonly string[], limits: Limits): Promise<CarriedOver> {
    const committedThere = (group: string) => new GroupCoordinator(this.peer, group).allCommitted(limits);
    // The promotion waits for it.
    const search = within(remainingMs(limits) / 2, limits.signal);
    return await this.#carryOver(groups, committedThere, limits, (position, translated) =>
      this.#exact(position, translated, search),
    );
  }

  async translateDescription(description: SessionDescription, limits: Limits): Promise<SessionDescription> {
    await this.#inbound.syncs.tail.untilLoaded(limits);
    // The point of a cluster that is not active is that of an earlier time.
    const point = this.#options.role() === 'source' ? this.#ownPoint() : new PromotionPoint([]);
    const here = translateDescription(this.#syncs, point, description);
    if (this.#outbound.syncs.tail.trouble !== undefined || here.seeks.length > MOST_EXACT_SEEKS) return here;
    const search = within(Math.min(EXACT_SEEKS_MS, remainingMs(limits) / 2), limits.signal);
    const seeks = await Promise.all(
      here.seeks.map(async (seek, index) => {
        const { topic, partition } = seek;
        const position = { topic, partition, offset: BigInt(description.seeks[index]?.to ?? 0) };
        const offset = await this.#exact(position, BigInt(seek.to), search);
        const end = point.of(seek)?.end;
        return { ...seek, to: String(end !== undefined && offset > end ? end : offset) };
      }),
    );
    return { ...here, seeks };
  }

  async untilCopied(
    place: TopicPartition,
    offset: bigint,
    options: { since?: SyncMark | undefined; limits: Limits },
  ): Promise<void> {
    await this.#outbound.syncs.untilCopied(place, offset, options);
  }

  async wasCopied(limits: Limits): Promise<(place: TopicPartition) => boolean> {
    const { syncs } = this.#outbound;
    await syncs.tail.untilLoaded(limits);
    return (place) => syncs.index.of(place) !== undefined;
  }

  async advanceMirror(positions: readonly StartPosition[], limits: Limits): Promise<void> {
    const { own, peer } = this.#options;
    await new ConnectOffsets(own.cluster, peer.name).advance(positions, limits);
  }

  get mark(): SyncMark {
    return this.#outbound.syncs.mark;
  }

  isMirrored(topic: string): boolean {
    return this.#outbound.topics.isMirrored(topic);
  }

  reportLoss(promotion: Promotion, at: Date): LossReport {
    const { meter } = this.#inbound;
    const { measuredAtMs } = meter;
    return {
      promotion,
      lost: this.#options.peer.name,
      at: at.toISOString(),
      endsAgeMs: measuredAtMs === undefined ? null : Math.round(performance.now() - measuredAtMs),
      isFinal: false,
      ranges: meter
        .missing()
        .map(({ topic, partition, from, to, records }) => ({ topic, partition, from, to, records })),
    };
  }

  async completeReport(report: LossReport, limits: Limits): Promise<LossReport> {
    const { direction, syncs, topics } = this.#outbound;
    await syncs.tail.untilLoaded(limits);
    const ends = await direction.ends({ maxAgeMs: 0, isPartial: false }, limits);
    const unknown = ends.filter((end) => direction.copiedTo(end) === undefined);
    const found = await topics.beginnings(unknown, { isFresh: true }, limits);
    const beginnings = new Map(
      unknown.map((place, index) => [partitionKey(place.topic, place.partition), found[index]]),
    );
    const copiedTo = (place: TopicPartition): number =>
      direction.copiedTo(place) ?? beginnings.get(partitionKey(place.topic, place.partition)) ?? 0;
    const clusters = { lost: this.#options.own.cluster, promoted: this.peer };
    return await completeLossReport(report, {
      ...clusters,
      copiesFrom: (span) => direction.copiesFrom(span),
      ends,
      copiedTo,
      limits,
    });
  }

  async readRecords(
    span: OffsetSpan,
    { maxBytes, limits }: { maxBytes: number; limits: Limits },
  ): Promise<ReadRecords> {
    return await readSome(this.#options.own.cluster, span, { maxBytes, limits });
  }

  status(): ReplicationStatus | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#statusAtMs > STATUS_MAX_AGE_MS) {
      this.#status = this.#readStatus(nowMs);
      this.#statusAtMs = nowMs;
    }
    return this.#status;
  }

  #readStatus(nowMs: number): ReplicationStatus | undefined {
    const role = this.#options.role();
    if (role === 'none') return undefined;
    const { own, peer } = this.#options;
    const [from, to] = role === 'source' ? [own.name, peer.name] : [peer.name, own.name];
    const { meter, syncs } = role === 'source' ? this.#outbound : this.#inbound;
    const topics = meter.behind(nowMs);
    const trouble = syncs.tail.trouble;
    return {
      from,
      to,
      problem: meter.problem ?? trouble ?? null,
      measuredAgoMs: meter.measuredAtMs === undefined ? null : Math.round(nowMs - meter.measuredAtMs),
      records: topics.reduce((sum, { records }) => sum + records, 0),
      seconds: topics.reduce((longest, { behindMs }) => Math.max(longest, behindMs), 0) / 1000,
      topics: topics
        .slice(0, MOST_TOPICS)
        .map(({ topic, records, behindMs }) => ({ topic, records, seconds: behindMs / 1000 })),
    };
  }

  /** Measures the direction in which records flow now. */
  #follow(): void {
    const role = this.#options.role();
    if (role === 'source') this.#outbound.meter.start();
    else this.#outbound.meter.stop();
    if (role === 'target') this.#inbound.meter.start();
    else this.#inbound.meter.stop();
  }

  /** The copy of the record at this position of the peer, if both clusters can be read in time. */
  async #exact(position: PartitionOffset, translated: bigint, limits: Limits): Promise<bigint> {
    const sync = this.#inbound.syncs.index.of(position)?.floor(Number(position.offset));
    // Known exactly already.
    if (sync !== undefined && sync.upstream === Number(position.offset)) return translated;
    if (remainingMs(limits) === 0) return translated;
    const clusters = { there: this.peer, here: this.#options.own.cluster, limits };
    return await exactPosition(clusters, position, translated).catch(() => translated);
  }

  async #carryOver(
    groups: readonly string[],
    committedThere: (group: string) => Promise<PartitionOffset[]>,
    limits: Limits,
    exact?: (position: PartitionOffset, translated: bigint) => Promise<bigint>,
  ): Promise<CarriedOver> {
    const { syncs, topics } = this.#inbound;
    try {
      await syncs.tail.untilLoaded(limits);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { groups: 0, partitions: 0, failed: groups.map((group) => ({ group, reason })) };
    }
    return await carryOver({
      own: this.#options.own.cluster,
      syncs: this.#syncs,
      groups,
      committedThere,
      exact,
      isMirrored: (topic) => topics.isMirrored(topic),
      limits,
    });
  }

  /** Of positions in the peer's cluster. */
  get #syncs(): TwoWaySyncs {
    return { towards: this.#inbound.syncs.index, back: this.#outbound.syncs.index };
  }

  #flow({ source, target, point, back }: Way): Flow {
    const { requestTimeoutMs, isMirrored = () => true } = this.#options;
    const timeoutMs = Math.min(MEASURE_TIMEOUT_MS, requestTimeoutMs);
    const topics = new SourceTopics(source.cluster, isMirrored);
    const syncs = new SyncTail(target.cluster, { source: source.name, requestTimeoutMs });
    const direction = new Direction({ source: source.cluster, target: target.cluster, topics, syncs, back, point });
    return { topics, syncs, direction, meter: new ReplicationMeter({ direction, timeoutMs }) };
  }
}

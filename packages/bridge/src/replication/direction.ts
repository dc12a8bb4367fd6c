/** One direction of the replication: the records of one cluster that the other one does not have. */
import type { Cluster } from '../kafka/client/cluster.ts';
import type { Limits } from '../kafka/client/limits.ts';
import { type PartitionOffset, partitionKey, type TopicPartition } from '../records.ts';
import type { PromotionPoint } from './points.ts';
import type { EndsQuestion, SourceTopics } from './source-topics.ts';
import type { SyncIndex } from './sync-index.ts';
import type { SyncMark, SyncTail } from './sync-tail.ts';
import { countRecords, type OffsetSpan } from './tail-reader.ts';
import { translateOffset } from './translate.ts';
import { findUncopied } from './uncopied.ts';

export interface DirectionOptions {
  /** Where the records are. */
  source: Cluster;
  target: Cluster;
  topics: SourceTopics;
  syncs: SyncTail;
  /** Of the other direction. */
  back: () => Pick<SyncIndex, 'of'>;
  /** Since which the source is active: what it had then came from the other cluster, or is in the report of a loss. */
  point: () => PromotionPoint;
}

/** Counted in at most so many offsets; beyond, offsets count as records. */
const MOST_COUNTED = 10_000;
/** Partitions that are counted side by side. */
const COUNTED_AT_ONCE = 8;

interface Counted extends OffsetSpan {
  records: number;
  /** By `performance.now()`. */
  atMs: number;
}

export class Direction {
  readonly #options: DirectionOptions;
  /** What was counted last of a partition. */
  readonly #counted = new Map<string, Counted>();
  /** Partitions whose syncs are those of a topic that was deleted since. */
  readonly #recreated = new Set<string>();

  constructor(options: DirectionOptions) {
    this.#options = options;
  }

  /** Errors: `kafkaUnavailable`. */
  async ends(question: EndsQuestion, limits: Limits): Promise<PartitionOffset[]> {
    const { topics, syncs } = this.#options;
    const { mark } = syncs;
    const ends = await topics.ends(question, limits);
    for (const end of ends) this.#noteEnd(end, mark);
    return ends;
  }

  /**
   * The offsets before these ends that are not known to be copied, of partitions that have some. Those without syncs: from where they begin.
   * Errors: `kafkaUnavailable`.
   */
  async spans(ends: readonly PartitionOffset[], limits: Limits): Promise<OffsetSpan[]> {
    const { topics } = this.#options;
    const unknown = ends.filter((end) => end.offset > 0n && this.copiedTo(end) === undefined);
    const beginnings = await topics.beginnings(unknown, { isFresh: false }, limits);
    const begins = new Map(unknown.map((place, index) => [keyOf(place), beginnings[index] as number]));
    return ends.flatMap(({ topic, partition, offset }): OffsetSpan[] => {
      const place = { topic, partition };
      const from = this.copiedTo(place) ?? begins.get(keyOf(place)) ?? 0;
      const to = Number(offset);
      return from < to ? [{ topic, partition, from, to }] : [];
    });
  }

  /** Before this offset of the source, the other cluster has everything, or never will; `undefined`: nothing is known. */
  copiedTo(place: TopicPartition): number | undefined {
    const { syncs, point } = this.#options;
    const newest = this.#recreated.has(keyOf(place)) ? undefined : syncs.index.newest(place);
    const since = point().of(place)?.end;
    if (newest === undefined) return since;
    return Math.max(newest.upstream + 1, since ?? 0);
  }

  /** Records of a span that are not copied, when they were counted; `undefined` until then ({@link count}). */
  countOf(span: OffsetSpan): number | undefined {
    return this.#countedOf(span)?.records;
  }

  /** Whether {@link count} looks at a span: copies may have come since it was counted, so long ago. */
  isToCount(span: OffsetSpan, maxAgeMs: number): boolean {
    if (span.to - span.from > MOST_COUNTED) return false;
    const known = this.#countedOf(span);
    return known === undefined || (known.records > 0 && performance.now() - known.atMs >= maxAgeMs);
  }

  /**
   * Counts the records of spans that are not copied. Offsets alone may be markers of transactions, records of aborted ones, or compacted away: no sync
   * ever covers them, nor some copies. Errors: `kafkaUnavailable`.
   */
  async count(spans: readonly OffsetSpan[], maxAgeMs: number, limits: Limits): Promise<number> {
    const open = spans.filter((span) => this.isToCount(span, maxAgeMs));
    for (let first = 0; first < open.length; first += COUNTED_AT_ONCE) {
      await Promise.all(open.slice(first, first + COUNTED_AT_ONCE).map((span) => this.#count(span, limits)));
    }
    return this.recordsIn(spans);
  }

  /** As far as they were counted; otherwise their offsets. */
  recordsIn(spans: readonly OffsetSpan[]): number {
    return spans.reduce((sum, span) => sum + (this.countOf(span) ?? span.to - span.from), 0);
  }

  /** Where copies of the records of a span are at the earliest. */
  copiesFrom({ topic, partition, from }: OffsetSpan): number {
    const { syncs, back, point } = this.#options;
    const position = { topic, partition, offset: BigInt(from) };
    const translated = Number(translateOffset({ towards: syncs.index, back: back() }, position));
    const known = point().of(position);
    // The target had everything until the source became active.
    return known !== undefined && from >= known.end ? Math.max(translated, known.peerEnd ?? 0) : translated;
  }

  /** A source that ends before what was copied of it earlier is another topic of the same name. `mark`: before the end was asked for. */
  #noteEnd(end: PartitionOffset, mark: SyncMark): void {
    const { syncs } = this.#options;
    const newest = syncs.index.newest(end);
    const key = keyOf(end);
    if (newest === undefined || !syncs.isFrom(end, mark)) this.#recreated.delete(key);
    else if (newest.upstream >= Number(end.offset)) this.#recreated.add(key);
  }

  #countedOf(span: OffsetSpan): Counted | undefined {
    const known = this.#counted.get(keyOf(span));
    return known?.from === span.from && known.to === span.to ? known : undefined;
  }

  async #count(span: OffsetSpan, limits: Limits): Promise<void> {
    const { source, target, topics, syncs } = this.#options;
    // Retention may have removed what stood there.
    const [beginning = 0] = await topics.beginnings([span], { isFresh: true }, limits);
    const from = Math.max(span.from, beginning);
    const rest = { ...span, from };
    let records = 0;
    if (from < span.to && syncs.tail.trouble !== undefined) records = await countRecords(source, rest, limits);
    else if (from < span.to) {
      const copiesFrom = this.copiesFrom(rest);
      records = (await findUncopied(rest, { source, target, copiesFrom, mayFollowOthers: true, limits })).records;
    }
    this.#counted.set(keyOf(span), { ...span, records, atMs: performance.now() });
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}

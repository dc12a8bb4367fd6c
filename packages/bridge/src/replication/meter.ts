/** Measures once a second what would be lost with the source of a replication, and keeps it when the source is gone. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { toBridgeError } from '../kafka/client/failure.ts';
import { REPLICATED_SESSION_TOPIC } from '../kafka/client/internal-topics.ts';
import { within } from '../kafka/client/limits.ts';
import { type PartitionOffset, partitionKey } from '../records.ts';
import { Coverage } from './coverage.ts';
import type { Direction } from './direction.ts';
import type { OffsetSpan } from './tail-reader.ts';

export interface MeterOptions {
  direction: Direction;
  /** Of one measurement. */
  timeoutMs: number;
}

/** What the copy of a topic lacks. */
export interface TopicLag {
  topic: string;
  records: number;
  behindMs: number;
}

interface Measurement {
  atMs: number;
  ends: readonly PartitionOffset[];
}

const INTERVAL_MS = 1000;
/** A measurement takes some microseconds a partition: with many, it is made less often. */
const INTERVAL_PER_PARTITION_MS = 0.1;
const LIST_MAX_AGE_MS = 5000;
const PARTITIONS_PER_TURN = 5000;
/** What is not copied is looked at again after this time, or later. */
const COUNT_MAX_AGE_MS = 5000;
/** Spans that are counted in one measurement, of so many partitions. */
const MOST_COUNTED = 16;

export class ReplicationMeter {
  readonly #options: MeterOptions;
  readonly #coverage = new Map<string, Coverage>();
  readonly #life = new AbortController();
  #last: Measurement | undefined;
  /** Spans of the last measurement. */
  #spans: OffsetSpan[] = [];
  #problem: string | undefined = 'not measured yet';
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** Measures until {@link stop}. */
  start(): void {
    if (this.#timer !== undefined || this.#life.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.measure().finally(() => {
        this.#running = undefined;
        if (this.#timer === undefined) return;
        this.#timer = undefined;
        this.start();
      });
    }, this.#intervalMs);
  }

  /** What was measured stays. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async close(): Promise<void> {
    this.stop();
    this.#life.abort();
    await this.#running;
  }

  /** Why the last measurement failed. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** By `performance.now()`; `undefined` before the first measurement. */
  get measuredAtMs(): number | undefined {
    return this.#last?.atMs;
  }

  /** The ends that were seen last. */
  get ends(): readonly PartitionOffset[] {
    return this.#last?.ends ?? [];
  }

  /** What is not copied by now, by the ends that were seen last: the parts of them that may have records. */
  missing(): (OffsetSpan & { records: number })[] {
    return this.#spans.flatMap((span) => {
      const from = Math.max(span.from, this.#options.direction.copiedTo(span) ?? 0);
      const records = this.#recordsOf(span);
      return records === 0 || span.topic === REPLICATED_SESSION_TOPIC ? [] : [{ ...span, from, records }];
    });
  }

  /** The topics whose copies lack something, by the ends that were seen last and the syncs of now. The furthest behind first. */
  behind(nowMs: number): TopicLag[] {
    const topics = new Map<string, TopicLag>();
    for (const { records, ...span } of this.missing()) {
      const lag = topics.get(span.topic) ?? { topic: span.topic, records: 0, behindMs: 0 };
      lag.records += records;
      lag.behindMs = Math.max(lag.behindMs, this.#coverage.get(keyOf(span))?.behindMs(nowMs) ?? 0);
      topics.set(span.topic, lag);
    }
    return [...topics.values()].sort((a, b) => b.records - a.records);
  }

  /** Measures now. Never throws. */
  async measure(): Promise<void> {
    const { direction, timeoutMs } = this.#options;
    const limits = within(timeoutMs, this.#life.signal);
    const atMs = performance.now();
    try {
      const ends = await direction.ends({ maxAgeMs: LIST_MAX_AGE_MS, isPartial: true }, limits);
      const before = new Map(this.#spans.map((span) => [keyOf(span), span]));
      const spans: OffsetSpan[] = [];
      // In parts, between which the bridge serves requests.
      for (let first = 0; first < ends.length; first += PARTITIONS_PER_TURN) {
        if (first > 0) await nextTurn();
        const part = ends.slice(first, first + PARTITIONS_PER_TURN);
        const found = await direction.spans(part, limits);
        // What does not change for a second may be no record.
        const still = found.filter((span) => {
          const known = before.get(keyOf(span));
          return known?.from === span.from && known.to === span.to && direction.isToCount(span, COUNT_MAX_AGE_MS);
        });
        const some = still.slice(0, MOST_COUNTED);
        if (some.length > 0) await direction.count(some, COUNT_MAX_AGE_MS, limits).catch(() => {});
        this.#note(atMs, part, found);
        spans.push(...found);
      }
      this.#last = { atMs, ends };
      this.#spans = spans;
      // Topics that were deleted.
      if (this.#coverage.size > 2 * ends.length) this.#coverage.clear();
      this.#problem = undefined;
    } catch (error) {
      if (!this.#life.signal.aborted) this.#problem = toBridgeError(error).message;
    }
  }

  #note(atMs: number, ends: readonly PartitionOffset[], spans: readonly OffsetSpan[]): void {
    const open = new Map(spans.map((span) => [keyOf(span), span]));
    for (const { topic, partition, offset } of ends) {
      const key = partitionKey(topic, partition);
      let coverage = this.#coverage.get(key);
      if (coverage === undefined) {
        coverage = new Coverage();
        this.#coverage.set(key, coverage);
      }
      const span = open.get(key);
      const end = Number(offset);
      const isCovered = span === undefined || this.#options.direction.countOf(span) === 0;
      coverage.note({ atMs, end, through: isCovered ? end : span.from });
    }
  }

  /** Records of a span of the last measurement that are not copied by now. */
  #recordsOf(span: OffsetSpan): number {
    const { direction } = this.#options;
    const from = Math.max(span.from, direction.copiedTo(span) ?? 0);
    return from >= span.to ? 0 : (direction.countOf({ ...span, from }) ?? span.to - from);
  }

  get #intervalMs(): number {
    return Math.max(INTERVAL_MS, INTERVAL_PER_PARTITION_MS * this.ends.length);
  }
}

function keyOf({ topic, partition }: OffsetSpan): string {
  return partitionKey(topic, partition);
}

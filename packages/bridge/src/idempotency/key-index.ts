/**
 * Where the log has the answer of each key, in a bounded number of bytes a key: a hash of the key, a partition, an offset and a time.
 *
 * An entry leaves when it has expired, and never before: a full index refuses. The index consists of shards, so that one that grows
 * holds the event loop for a few milliseconds, and they grow at different times.
 */
import { type AnswerPlace, type KeyHash, KeyShard, UNREAD_MS } from './key-shard.ts';

export interface KeyIndexOptions {
  maxKeys: number;
  /** How long a key is kept, by the clock of the log. */
  retentionMs: number;
}

/** A shard with so many entries grows in about 4 ms. */
const SHARD_KEYS = 16_384;
const MOST_SHARDS = 16_384;
const SHARD_WORD = 3;
const FIRST_CAPACITY = 256;
/** Shards that one call looks at for what has expired, unless it needs the room. */
const SHARDS_AT_ONCE = 64;

export class KeyIndex {
  readonly #options: KeyIndexOptions;
  /** A power of two. */
  readonly #shards: readonly KeyShard[];
  #size = 0;
  /** The shard that is looked at next for what has expired. */
  #turn = 0;
  #latestMs = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  /** Entries that left because they had expired. */
  expiredCount = 0;

  constructor(options: KeyIndexOptions) {
    this.#options = options;
    const { maxKeys, retentionMs } = options;
    const count = Math.min(MOST_SHARDS, 2 ** Math.ceil(Math.log2(Math.max(1, maxKeys / SHARD_KEYS))));
    this.#shards = Array.from({ length: count }, (_, shard) => {
      const firstCapacity = Math.ceil(FIRST_CAPACITY * (1 + shard / count));
      return new KeyShard({ retentionMs, firstCapacity });
    });
  }

  /** Entries, those included that a later one of the same key replaces. */
  get size(): number {
    return this.#size;
  }

  /** When the last answer was stored, by the clock of the log; 0 before the first. */
  get latestMs(): number {
    return this.#latestMs;
  }

  /** Memory of its arrays. */
  get bytes(): number {
    return this.#shards.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** `undefined` for a key that has expired at `nowMs`, by the clock of the log: the log may have deleted its answer. */
  get(key: KeyHash, nowMs = this.#latestMs): AnswerPlace | undefined {
    return this.#shardOf(key).get(key, nowMs);
  }

  /** Notes an answer. What is in the log and does not fit is lost: {@link isForgetful} until it has expired. */
  add(key: KeyHash, place: AnswerPlace, timeMs: number): void {
    if (timeMs > this.#latestMs && timeMs !== UNREAD_MS) this.#latestMs = timeMs;
    if (!this.hasRoomFor(1)) this.expire(this.#latestMs, Number.POSITIVE_INFINITY);
    const shard = this.#shardOf(key);
    const before = shard.size;
    const isNoted = shard.add(key, place, timeMs, this.hasRoomFor(1));
    this.#size += shard.size - before;
    if (!isNoted) this.#lostAtMs = Math.max(this.#lostAtMs, timeMs === UNREAD_MS ? this.#latestMs : timeMs);
  }

  /** Removes what has expired at `nowMs`, by the clock of the log, at most `count` entries; without `count`, all. */
  expire(nowMs: number, count = Number.POSITIVE_INFINITY): void {
    const isThorough = count > SHARDS_AT_ONCE;
    const visits = isThorough ? this.#shards.length : Math.min(this.#shards.length, SHARDS_AT_ONCE);
    let left = count;
    for (let visit = 0; visit < visits && left > 0; visit += 1) {
      const removed = (this.#shards[this.#turn] as KeyShard).expire(nowMs, left);
      this.#turn = (this.#turn + 1) % this.#shards.length;
      this.#size -= removed;
      this.expiredCount += removed;
      left -= removed;
    }
  }

  /** Whether there is room for `count` more keys. */
  hasRoomFor(count: number): boolean {
    return this.#size + count <= this.#options.maxKeys;
  }

  /** Whether the log had more keys than fit, and one of those that were lost may not have expired at `nowMs`. */
  isForgetful(nowMs: number): boolean {
    return nowMs - this.#lostAtMs < this.#options.retentionMs;
  }

  clear(): void {
    for (const shard of this.#shards) shard.clear();
    this.#size = 0;
  }

  #shardOf(key: KeyHash): KeyShard {
    return this.#shards[((key[SHARD_WORD] as number) >>> 0) & (this.#shards.length - 1)] as KeyShard;
  }
}

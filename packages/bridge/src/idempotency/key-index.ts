/**
 * Where the log has the answer of each key, in a bounded number of bytes a key: a hash of the key, a partition, an offset and a time.
 *
 * Entries are in the order in which they were added, in a ring; a table of hashes with open addressing finds them. Both double as
 * they fill, up to the most keys. An entry leaves when it has expired, and never before: a full index refuses.
 */
import { hash } from 'node:crypto';

export interface AnswerPlace {
  partition: number;
  offset: number;
}

export interface KeyIndexOptions {
  maxKeys: number;
  /** How long a key is kept, by the clock of the log. */
  retentionMs: number;
}

/** 128 bits of SHA-256, as four words: clients cannot choose keys that collide. */
export type KeyHash = Int32Array;

export function hashKey(identity: Buffer): KeyHash {
  const digest = hash('sha256', identity, 'buffer');
  return new Int32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + HASH_WORDS * 4));
}

const HASH_WORDS = 4;
/** The time of an answer that was stored here and not read in the log yet, whose clock alone counts: it does not expire. */
export const UNREAD_MS = Number.POSITIVE_INFINITY;

const FIRST_CAPACITY = 1024;
const EMPTY = 0;

export class KeyIndex {
  readonly #options: KeyIndexOptions;
  #capacity = 0;
  #hashes = new Int32Array(0);
  #partitions = new Uint16Array(0);
  #offsets = new Float64Array(0);
  #timesMs = new Float64Array(0);
  /** Twice as long as the ring; each place has the number of an entry, plus one. */
  #table = new Uint32Array(0);
  /** Entries before it have left; numbers grow for ever, and their place in the ring is the remainder. */
  #first = 0;
  #next = 0;
  #latestMs = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  /** Entries that left because they had expired. */
  expiredCount = 0;

  constructor(options: KeyIndexOptions) {
    this.#options = options;
  }

  /** Entries, those included that a later one of the same key replaces. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** When the last answer was stored, by the clock of the log; 0 before the first. */
  get latestMs(): number {
    return this.#latestMs;
  }

  /** Memory of its arrays. */
  get bytes(): number {
    const arrays = [this.#hashes, this.#partitions, this.#offsets, this.#timesMs, this.#table];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** `undefined` for a key that has expired at `nowMs`, by the clock of the log: the log may have deleted its answer. */
  get(key: KeyHash, nowMs = this.#latestMs): AnswerPlace | undefined {
    const place = this.#find(key);
    if (place === undefined) return undefined;
    const at = this.#entryAt(place);
    if ((this.#timesMs[at] as number) < nowMs - this.#options.retentionMs) return undefined;
    return { partition: this.#partitions[at] as number, offset: this.#offsets[at] as number };
  }

  /** Notes an answer. What is in the log and does not fit is lost: {@link isForgetful} until it has expired. */
  add(key: KeyHash, { partition, offset }: AnswerPlace, timeMs: number): void {
    if (timeMs > this.#latestMs && timeMs !== UNREAD_MS) this.#latestMs = timeMs;
    const place = this.#find(key);
    if (place !== undefined) {
      const at = this.#entryAt(place);
      if (this.#partitions[at] === partition && this.#offsets[at] === offset) {
        // Read after it was stored here: now the time is known. A key that is read again does not live longer.
        this.#timesMs[at] = Math.min(this.#timesMs[at] as number, timeMs);
        return;
      }
      if ((this.#timesMs[at] as number) > timeMs) return;
    }
    if (!this.#makeRoom()) {
      this.#lostAtMs = Math.max(this.#lostAtMs, timeMs === UNREAD_MS ? this.#latestMs : timeMs);
      return;
    }
    const at = this.#next % this.#capacity;
    this.#hashes.set(key, at * HASH_WORDS);
    this.#partitions[at] = partition;
    this.#offsets[at] = offset;
    this.#timesMs[at] = timeMs;
    // Growing has moved it.
    const found = this.#find(key);
    this.#table[found ?? this.#freePlace(key)] = (this.#next % this.#capacity) + 1;
    this.#next += 1;
  }

  /** Removes what has expired at `nowMs`, by the clock of the log, at most `count` entries. */
  expire(nowMs: number, count = Number.POSITIVE_INFINITY): void {
    const oldestMs = nowMs - this.#options.retentionMs;
    for (let removed = 0; removed < count && this.size > 0; removed += 1) {
      if ((this.#timesMs[this.#first % this.#capacity] as number) >= oldestMs) return;
      this.#removeFirst();
      this.expiredCount += 1;
    }
  }

  /** Whether there is room for `count` more keys. */
  hasRoomFor(count: number): boolean {
    return this.size + count <= this.#options.maxKeys;
  }

  /** Whether the log had more keys than fit, and one of those that were lost may not have expired at `nowMs`. */
  isForgetful(nowMs: number): boolean {
    return nowMs - this.#lostAtMs < this.#options.retentionMs;
  }

  clear(): void {
    this.#first = 0;
    this.#next = 0;
    this.#table.fill(EMPTY);
  }

  #makeRoom(): boolean {
    if (this.size < this.#capacity) return true;
    if (this.size >= this.#options.maxKeys) this.expire(this.#latestMs);
    if (this.size < this.#capacity) return true;
    if (this.#capacity >= this.#options.maxKeys) return false;
    this.#grow();
    return true;
  }

  #grow(): void {
    const before = {
      hashes: this.#hashes,
      partitions: this.#partitions,
      offsets: this.#offsets,
      timesMs: this.#timesMs,
    };
    const capacity = Math.min(this.#options.maxKeys, Math.max(FIRST_CAPACITY, this.#capacity * 2));
    const [first, size, oldCapacity] = [this.#first, this.size, this.#capacity];
    this.#hashes = new Int32Array(capacity * HASH_WORDS);
    this.#partitions = new Uint16Array(capacity);
    this.#offsets = new Float64Array(capacity);
    this.#timesMs = new Float64Array(capacity);
    this.#table = new Uint32Array(capacity * 2);
    this.#capacity = capacity;
    for (let index = 0; index < size; index += 1) {
      const from = (first + index) % oldCapacity;
      const key = before.hashes.subarray(from * HASH_WORDS, (from + 1) * HASH_WORDS);
      this.#hashes.set(key, index * HASH_WORDS);
      this.#partitions[index] = before.partitions[from] as number;
      this.#offsets[index] = before.offsets[from] as number;
      this.#timesMs[index] = before.timesMs[from] as number;
      // A later entry of the same key replaces the earlier one.
      this.#table[this.#find(key) ?? this.#freePlace(key)] = index + 1;
    }
    this.#first = 0;
    this.#next = size;
  }

  #removeFirst(): void {
    const at = this.#first % this.#capacity;
    const key = this.#hashes.subarray(at * HASH_WORDS, (at + 1) * HASH_WORDS);
    const place = this.#find(key);
    if (place !== undefined && this.#table[place] === at + 1) this.#clearPlace(place);
    this.#first += 1;
  }

  /** The place in the table that has the key. */
  #find(key: KeyHash): number | undefined {
    const { length } = this.#table;
    if (length === 0) return undefined;
    for (let place = homeOf(key, length); ; place = (place + 1) % length) {
      const entry = this.#table[place] as number;
      if (entry === EMPTY) return undefined;
      if (this.#isAt(key, entry - 1)) return place;
    }
  }

  #freePlace(key: KeyHash): number {
    const { length } = this.#table;
    let place = homeOf(key, length);
    while (this.#table[place] !== EMPTY) place = (place + 1) % length;
    return place;
  }

  /** Moves later entries of the same run up, so that searches find them (Knuth, volume 3, 6.4, algorithm R). */
  #clearPlace(place: number): void {
    const { length } = this.#table;
    let hole = place;
    for (let next = (hole + 1) % length; this.#table[next] !== EMPTY; next = (next + 1) % length) {
      const at = (this.#table[next] as number) - 1;
      const home = homeOf(this.#hashes.subarray(at * HASH_WORDS, (at + 1) * HASH_WORDS), length);
      // Whether its search would pass the hole.
      const isPast = hole <= next ? home <= hole || home > next : home <= hole && home > next;
      if (!isPast) continue;
      this.#table[hole] = at + 1;
      hole = next;
    }
    this.#table[hole] = EMPTY;
  }

  #isAt(key: KeyHash, at: number): boolean {
    const from = at * HASH_WORDS;
    for (let word = 0; word < HASH_WORDS; word += 1) if (this.#hashes[from + word] !== key[word]) return false;
    return true;
  }

  #entryAt(place: number): number {
    return (this.#table[place] as number) - 1;
  }
}

function homeOf(key: KeyHash, length: number): number {
  return ((key[0] as number) >>> 0) % length;
}

/**
 * A part of the index of keys. Entries are in the order in which they were added, in a ring; a table of hashes with open addressing
 * finds them. Both grow as they fill.
 */
import { hash } from 'node:crypto';

export interface AnswerPlace {
  partition: number;
  offset: number;
}

export interface KeyShardOptions {
  /** How long a key is kept, by the clock of the log. */
  retentionMs: number;
  /** Entries that the first growth makes room for. */
  firstCapacity: number;
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

/** Each growth moves all entries in one turn: less than doubling leaves less memory unused. */
const GROWTH = 1.5;
const EMPTY = 0;

export class KeyShard {
  readonly #options: KeyShardOptions;
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

  constructor(options: KeyShardOptions) {
    this.#options = options;
  }

  /** Entries, those included that a later one of the same key replaces. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** Memory of its arrays. */
  get bytes(): number {
    const arrays = [this.#hashes, this.#partitions, this.#offsets, this.#timesMs, this.#table];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** `undefined` for a key that has expired at `nowMs`, by the clock of the log: the log may have deleted its answer. */
  get(key: KeyHash, nowMs: number): AnswerPlace | undefined {
    const place = this.#find(key);
    if (place === undefined) return undefined;
    const at = this.#entryAt(place);
    if ((this.#timesMs[at] as number) < nowMs - this.#options.retentionMs) return undefined;
    return { partition: this.#partitions[at] as number, offset: this.#offsets[at] as number };
  }

  /** Notes an answer. False for one that is not known yet and must not be added, since `hasRoom` says so. */
  add(key: KeyHash, { partition, offset }: AnswerPlace, timeMs: number, hasRoom = true): boolean {
    const place = this.#find(key);
    if (place !== undefined) {
      const at = this.#entryAt(place);
      if (this.#partitions[at] === partition && this.#offsets[at] === offset) {
        // Read after it was stored here: now the time is known. A key that is read again does not live longer.
        this.#timesMs[at] = Math.min(this.#timesMs[at] as number, timeMs);
        return true;
      }
      if ((this.#timesMs[at] as number) > timeMs) return true;
    }
    if (!hasRoom) return false;
    if (this.size === this.#capacity) this.#grow();
    const at = this.#next % this.#capacity;
    this.#hashes.set(key, at * HASH_WORDS);
    this.#partitions[at] = partition;
    this.#offsets[at] = offset;
    this.#timesMs[at] = timeMs;
    // Growing has moved it.
    const found = this.#find(key);
    this.#table[found ?? this.#freePlace(key)] = (this.#next % this.#capacity) + 1;
    this.#next += 1;
    return true;
  }

  /** Removes what has expired at `nowMs`, by the clock of the log, at most `count` entries; returns how many. */
  expire(nowMs: number, count: number): number {
    const oldestMs = nowMs - this.#options.retentionMs;
    let removed = 0;
    while (removed < count && this.size > 0) {
      if ((this.#timesMs[this.#first % this.#capacity] as number) >= oldestMs) break;
      this.#removeFirst();
      removed += 1;
    }
    return removed;
  }

  clear(): void {
    this.#first = 0;
    this.#next = 0;
    this.#table.fill(EMPTY);
  }

  #grow(): void {
    const before = {
      hashes: this.#hashes,
      partitions: this.#partitions,
      offsets: this.#offsets,
      timesMs: this.#timesMs,
    };
    const capacity = Math.max(this.#options.firstCapacity, Math.ceil(this.#capacity * GROWTH));
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

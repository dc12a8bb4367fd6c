/**
 * The offset syncs of one partition, from which positions are translated: pairs that grow in both offsets, so that a smaller position never
 * becomes a larger one. Pure.
 */

/** One pair of offsets. Offsets fit into a number: Kafka would need 280 years at a million records a second to leave its range. */
export interface SyncPair {
  upstream: number;
  downstream: number;
}

/**
 * With too many pairs, the newest half stays, and of the others goes each whose neighbours are closer than the count divided by this of their distance to
 * the newest one: positions are translated as exactly as before near the end, and so much less exactly towards the beginning. The others are
 * then at most this many of the logarithm of the log's length.
 */
const COARSENESS = 64;

export class PartitionSyncs {
  readonly #upstream: number[] = [];
  readonly #downstream: number[] = [];
  readonly #maxCount: () => number;
  /** How many pairs there may be until they are thinned again. */
  #limit = 0;
  /** Pairs before this one may be of a source that was deleted since. */
  #firstOfSource = 0;

  /** `maxCount`: of pairs that are kept without thinning. */
  constructor(maxCount: () => number) {
    this.#maxCount = maxCount;
  }

  get count(): number {
    return this.#upstream.length;
  }

  get newest(): SyncPair | undefined {
    return this.#at(this.count - 1);
  }

  /** The next sync that MirrorMaker wrote. */
  add({ upstream, downstream }: SyncPair): void {
    const { newest } = this;
    if (newest !== undefined) {
      if (newest.upstream === upstream && newest.downstream === downstream) return;
      // The copy was recreated, and what was known says nothing about it.
      if (downstream <= newest.downstream) this.#keepFirst(0);
      // MirrorMaker was restarted and copies again, or the source was recreated: records from here on stand behind all of before.
      else if (upstream <= newest.upstream) {
        this.#keepFirst(floorIn(this.#upstream, upstream - 1) + 1);
        this.#firstOfSource = this.count;
      }
    }
    this.#upstream.push(upstream);
    this.#downstream.push(downstream);
    if (this.count > Math.max(this.#maxCount(), this.#limit)) this.#thin();
  }

  /** The newest pair at or before this offset of the source. */
  floor(upstream: number): SyncPair | undefined {
    return this.#at(floorIn(this.#upstream, upstream));
  }

  /** The newest pair at or before this offset of the copy, as far as its records are still those of the source. */
  floorOfCopy(downstream: number): SyncPair | undefined {
    const index = floorIn(this.#downstream, downstream);
    return index < this.#firstOfSource ? undefined : this.#at(index);
  }

  #at(index: number): SyncPair | undefined {
    const upstream = this.#upstream[index];
    const downstream = this.#downstream[index];
    return upstream === undefined || downstream === undefined ? undefined : { upstream, downstream };
  }

  #keepFirst(count: number): void {
    this.#upstream.length = count;
    this.#downstream.length = count;
    this.#firstOfSource = Math.min(this.#firstOfSource, count);
  }

  #thin(): void {
    const maxCount = this.#maxCount();
    const ratio = Math.max(1, maxCount / COARSENESS);
    const last = this.count - 1;
    const newest = this.#upstream[last] as number;
    const firstExact = this.count - Math.floor(maxCount / 2);
    let kept = 1;
    let firstOfSource = 0;
    for (let index = 1; index <= last; index += 1) {
      const before = this.#upstream[kept - 1] as number;
      const next = this.#upstream[index + 1] ?? newest;
      if (index < firstExact && next - before <= (newest - next) / ratio) continue;
      if (index < this.#firstOfSource) firstOfSource = kept + 1;
      this.#upstream[kept] = this.#upstream[index] as number;
      this.#downstream[kept] = this.#downstream[index] as number;
      kept += 1;
    }
    this.#firstOfSource = Math.max(firstOfSource, Math.min(this.#firstOfSource, 1));
    this.#keepFirst(kept);
    this.#limit = kept + maxCount / 4;
  }
}

/** The index of the last value that is not greater; -1 without one. */
function floorIn(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Counts measured values by bucket: plain numbers, incremented where something happens and read at a scrape. */

export const MILLISECONDS_PER_SECOND = 1_000;

export interface DistributionOptions {
  /** Upper bounds of the buckets, ascending; values above the last one have their own bucket. */
  readonly bounds: readonly number[];
  /** How many of the measure's units are one of Prometheus' base unit: 1000 for milliseconds. Default: 1. */
  readonly perBaseUnit?: number;
}

export class Distribution {
  readonly bounds: readonly number[];
  readonly perBaseUnit: number;
  /** Not cumulative; one more than the bounds. */
  readonly buckets: Float64Array;
  count = 0;
  sum = 0;

  constructor({ bounds, perBaseUnit = 1 }: DistributionOptions) {
    this.bounds = bounds;
    this.perBaseUnit = perBaseUnit;
    this.buckets = new Float64Array(bounds.length + 1);
  }

  /** Counts a value; returns the index of its bucket. */
  observe(value: number): number {
    const { bounds } = this;
    this.count += 1;
    this.sum += value;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1;
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    return index;
  }
}

/** The upper bound of the bucket in which the percentile lies; of the last bucket, its lower bound. `null` without any. */
export function percentile(
  { buckets, bounds }: { readonly buckets: ArrayLike<number>; readonly bounds: readonly number[] },
  percent: number,
): number | null {
  let total = 0;
  for (let index = 0; index < buckets.length; index += 1) total += buckets[index] ?? 0;
  if (total === 0) return null;
  let seen = 0;
  for (let index = 0; index < buckets.length; index += 1) {
    seen += buckets[index] ?? 0;
    if (seen * 100 >= total * percent) return bounds[index] ?? bounds.at(-1) ?? null;
  }
  return null;
}

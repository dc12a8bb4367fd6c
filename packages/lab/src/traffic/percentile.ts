/** The percentile by nearest rank: the smallest value that `ratio` of all values do not exceed; 0 without values. */
export function percentile(sorted: readonly number[], ratio: number): number {
  return sorted[Math.max(0, Math.ceil(ratio * sorted.length) - 1)] ?? 0;
}

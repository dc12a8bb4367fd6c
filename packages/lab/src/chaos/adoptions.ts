/** Durations of adoptions, from the bridges' own metrics. */
import { type Dispatcher, request } from 'undici';

const METRIC = 'causeway_bridge_adoption_duration_seconds';
const STAGE_METRIC = 'causeway_bridge_adoption_stage_duration_seconds';

export interface Adoptions {
  count: number;
  /** In milliseconds, estimated within its bucket as Prometheus' `histogram_quantile` does; undefined without adoptions. */
  medianMs: number | undefined;
  /** The mean of each stage, in milliseconds, in their order; empty without adoptions. */
  stageMeansMs: ReadonlyMap<string, number>;
}

/** Scrapes running bridges; the counts of a dead bridge are lost. */
export async function readAdoptions(bridgeUrls: readonly string[], dispatcher: Dispatcher): Promise<Adoptions> {
  const texts = await Promise.all(
    bridgeUrls.map(async (url) => {
      const { body } = await request(`${url}/metrics`, { dispatcher });
      return body.text();
    }),
  );
  return adoptionsIn(texts);
}

/** From the exposition of several bridges (Prometheus text format 0.0.4). */
export function adoptionsIn(expositions: readonly string[]): Adoptions {
  const text = expositions.join('\n');
  const buckets = [...sums(text, `${METRIC}_bucket`, 'le')]
    .map(([bound, count]) => ({ bound: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count }))
    .sort((a, b) => a.bound - b.bound);
  const count = buckets.at(-1)?.count ?? 0;
  const medianSeconds = medianOf(buckets, count);
  return {
    count,
    medianMs: medianSeconds === undefined ? undefined : Math.round(medianSeconds * 1_000),
    stageMeansMs: new Map(
      count === 0
        ? []
        : [...sums(text, `${STAGE_METRIC}_sum`, 'stage')].map(([stage, sum]) => [stage, (sum * 1_000) / count]),
    ),
  };
}

/** The values of a metric with one label, added up over all expositions by that label. */
function sums(text: string, metric: string, label: string): Map<string, number> {
  const byLabel = new Map<string, number>();
  for (const [, key = '', value] of text.matchAll(new RegExp(`^${metric}\\{${label}="([^"]+)"\\} (\\S+)$`, 'gm'))) {
    byLabel.set(key, (byLabel.get(key) ?? 0) + Number(value));
  }
  return byLabel;
}

/** In the metric's unit; linear within the bucket, and the last finite bound where it lies beyond that. */
function medianOf(buckets: readonly { bound: number; count: number }[], count: number): number | undefined {
  const index = buckets.findIndex((bucket) => bucket.count * 2 >= count);
  const bucket = buckets[index];
  if (count === 0 || bucket === undefined) return undefined;
  const { bound: lower, count: below } = buckets[index - 1] ?? { bound: 0, count: 0 };
  if (!Number.isFinite(bucket.bound)) return lower;
  return lower + ((bucket.bound - lower) * (count / 2 - below)) / (bucket.count - below);
}

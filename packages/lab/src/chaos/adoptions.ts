/** How long bridges took to adopt consumers, from their own metrics. */
import { request } from 'undici';

const METRIC = 'causeway_bridge_adoption_duration_seconds';

export interface Adoptions {
  count: number;
  /** The bucket's upper bound, in milliseconds; undefined without adoptions. */
  medianMs: number | undefined;
}

/** Of bridges that run; what a bridge counted before it died is gone with it. */
export async function readAdoptions(bridgeUrls: readonly string[]): Promise<Adoptions> {
  const texts = await Promise.all(
    bridgeUrls.map(async (url) => {
      const { body } = await request(`${url}/metrics`);
      return body.text();
    }),
  );
  return adoptionsIn(texts);
}

/** From the exposition of several bridges (Prometheus text format 0.0.4). */
export function adoptionsIn(expositions: readonly string[]): Adoptions {
  const cumulative = new Map<number, number>();
  for (const exposition of expositions) {
    for (const [, bound, count] of exposition.matchAll(
      new RegExp(`^${METRIC}_bucket\\{le="([^"]+)"\\} (\\d+)`, 'gm'),
    )) {
      const seconds = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
      cumulative.set(seconds, (cumulative.get(seconds) ?? 0) + Number(count));
    }
  }
  const buckets = [...cumulative].sort(([a], [b]) => a - b);
  const count = buckets.at(-1)?.[1] ?? 0;
  const median = count === 0 ? undefined : buckets.find(([, below]) => below * 2 >= count);
  return { count, medianMs: median && median[0] * 1_000 };
}

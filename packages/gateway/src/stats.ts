/** Counters of the request path: plain integers, bumped by requests and read by metrics and topology. */
import type { Operation } from '@causeway/protocol/paths.ts';

/** How a request ended for the client. */
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];
export const REQUEST_OUTCOMES = ['2xx', '3xx', '4xx', '5xx', 'gateway_error', 'client_gone'] as const;

/** Upper bounds of the duration buckets in milliseconds; the last bucket has none. */
export const DURATION_BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

/** Requests of one region, operation and outcome. */
export interface Series {
  count: number;
  sumMs: number;
  readonly buckets: Uint32Array;
}

/** Stands for the region of an answer that came from no region. */
export const NO_REGION = 'none';

export class RequestStats {
  readonly #byRegion = new Map<string, Map<Operation, Map<RequestOutcome, Series>>>();
  readonly retries = new Map<string, number>();
  readonly attempts = new Map<string, Map<string, number>>();

  record(region: string, operation: Operation, outcome: RequestOutcome, durationMs: number): void {
    const series = this.#series(region, operation, outcome);
    series.count += 1;
    series.sumMs += durationMs;
    let index = 0;
    while (index < DURATION_BUCKETS_MS.length && durationMs > (DURATION_BUCKETS_MS[index] ?? 0)) index += 1;
    series.buckets[index] = (series.buckets[index] ?? 0) + 1;
  }

  attempted(region: string, outcome: string): void {
    const outcomes = getOrCreate(this.attempts, region, () => new Map<string, number>());
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  retried(reason: string): void {
    this.retries.set(reason, (this.retries.get(reason) ?? 0) + 1);
  }

  *entries(): Generator<{ region: string; operation: Operation; outcome: RequestOutcome; series: Series }> {
    for (const [region, operations] of this.#byRegion) {
      for (const [operation, outcomes] of operations) {
        for (const [outcome, series] of outcomes) yield { region, operation, outcome, series };
      }
    }
  }

  #series(region: string, operation: Operation, outcome: RequestOutcome): Series {
    const operations = getOrCreate(this.#byRegion, region, newMap<Operation, Map<RequestOutcome, Series>>);
    const outcomes = getOrCreate(operations, operation, newMap<RequestOutcome, Series>);
    return getOrCreate(outcomes, outcome, newSeries);
  }
}

function getOrCreate<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}

function newMap<Key, Value>(): Map<Key, Value> {
  return new Map();
}

function newSeries(): Series {
  return { count: 0, sumMs: 0, buckets: new Uint32Array(DURATION_BUCKETS_MS.length + 1) };
}

/** The class of a status that a region answered. */
export function outcomeOfStatus(status: number): RequestOutcome {
  if (status < 300) return '2xx';
  if (status < 400) return '3xx';
  return status < 500 ? '4xx' : '5xx';
}

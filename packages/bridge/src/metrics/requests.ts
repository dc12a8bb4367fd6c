/** Metrics of HTTP requests: their number, their durations, and those in flight. */
import { counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import { Distribution, type DistributionOptions, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import { REQUEST_OUTCOMES, type RequestOutcome } from '@causeway/metrics/request-outcome.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';

/** Long polls are as long as clients ask. */
const DURATIONS: DistributionOptions = {
  bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000],
  perBaseUnit: MILLISECONDS_PER_SECOND,
};

export const REQUEST_METRICS = {
  requests: counter('causeway_bridge_requests_total', 'Requests by operation and outcome.', ['operation', 'outcome']),
  durations: histogram(
    'causeway_bridge_request_duration_seconds',
    'From the head of a request to the end of its response. A poll takes as long as its client asked.',
    ['operation', 'outcome'],
  ),
  inFlight: gauge('causeway_bridge_in_flight_requests', 'Requests that wait for their responses.'),
  inFlightBytes: gauge(
    'causeway_bridge_in_flight_bytes',
    'Bytes of request bodies, and of responses that clients have not read.',
  ),
};

/** The durations of requests, in milliseconds, by operation and outcome; made when the first one comes. */
export class RequestCounts {
  readonly #durations = new Map<Operation, Partial<Record<RequestOutcome, Distribution>>>();

  count(operation: Operation, outcome: RequestOutcome, durationMs: number): void {
    let outcomes = this.#durations.get(operation);
    if (outcomes === undefined) {
      outcomes = {};
      this.#durations.set(operation, outcomes);
    }
    let durations = outcomes[outcome];
    if (durations === undefined) {
      durations = new Distribution(DURATIONS);
      outcomes[outcome] = durations;
    }
    durations.observe(durationMs);
  }

  get byOperation(): ReadonlyMap<Operation, Readonly<Partial<Record<RequestOutcome, Distribution>>>> {
    return this.#durations;
  }
}

export interface RequestSources {
  requests: RequestCounts;
  load: { readonly requestCount: number; readonly bytes: number };
}

export function addRequestMetrics(exposition: Exposition, { requests, load }: RequestSources): void {
  exposition.add(REQUEST_METRICS.requests, (sample) => {
    for (const [operation, outcomes] of requests.byOperation) {
      // Those that did not happen are 0: a rate sees only what grows.
      for (const outcome of REQUEST_OUTCOMES) sample({ operation, outcome }, outcomes[outcome]?.count ?? 0);
    }
  });
  exposition.addDistributions(REQUEST_METRICS.durations, (sample) => {
    for (const [operation, outcomes] of requests.byOperation) {
      for (const outcome of REQUEST_OUTCOMES) {
        const durations = outcomes[outcome];
        if (durations !== undefined) sample({ operation, outcome }, durations);
      }
    }
  });
  exposition.addValue(REQUEST_METRICS.inFlight, () => load.requestCount);
  exposition.addValue(REQUEST_METRICS.inFlightBytes, () => load.bytes);
}

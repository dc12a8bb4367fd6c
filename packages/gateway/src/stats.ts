/** Counters of the request path: integers that requests increment, and metrics and topology read. */
import { Distribution, type DistributionOptions, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import { REQUEST_OUTCOMES } from '@causeway/metrics/request-outcome.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';

/** How an exchange ended for the client; `gatewayError`: with a 5xx of the gateway itself, or a response that a target broke off. */
export type ExchangeOutcome = (typeof EXCHANGE_OUTCOMES)[number];
export const EXCHANGE_OUTCOMES = [...REQUEST_OUTCOMES, 'gatewayError'] as const;

/** Upper bounds of the duration buckets in milliseconds; the last bucket has none. */
export const DURATION_BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

const DURATIONS: DistributionOptions = { bounds: DURATION_BUCKETS_MS, perBaseUnit: MILLISECONDS_PER_SECOND };

/** How an attempt at a target can end. */
export const ATTEMPT_OUTCOMES = [
  'answered',
  'connectFailed',
  'brokenBeforeHeaders',
  'timedOut',
  'targetDown',
  'brokenMidBody',
  'clientGone',
] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** Why a request can be sent again; `misdirected`: another bridge owns the consumer or slot. */
export const RETRY_REASONS = [
  'connectFailed',
  'brokenBeforeHeaders',
  'timedOut',
  'targetDown',
  'brokenMidBody',
  'status_502',
  'status_503',
  'status_504',
  'misdirected',
] as const;

/** The region of a request that was sent to none. */
export const NO_REGION = 'none';

/** All principals that the configuration does not name. */
const OTHER_PRINCIPAL = 'other';

/** The label of a principal in metrics. `named`: principals with series of their own. */
export function principalLabel(name: string, named: ReadonlySet<string>): string {
  return named.has(name) ? name : OTHER_PRINCIPAL;
}

export class RequestStats {
  readonly #byRegion = new Map<string, Map<Operation, Map<ExchangeOutcome, Distribution>>>();
  readonly retries = new Map<string, number>();
  readonly attempts = new Map<string, Map<string, number>>();
  /** Requests that belong to one region (the outer key) and were served by another. */
  readonly redirects = new Map<string, Map<string, number>>();

  /** Idempotency keys of produce requests that had none. */
  generatedKeyCount = 0;
  /** By {@link principalLabel}. */
  readonly principals = new Map<string, Map<ExchangeOutcome, number>>();
  /** Principals with a count of their own. */
  namedPrincipals: ReadonlySet<string> = new Set();

  ofPrincipal(name: string, outcome: ExchangeOutcome): void {
    const label = principalLabel(name, this.namedPrincipals);
    const outcomes = getOrCreate(this.principals, label, newMap<ExchangeOutcome, number>);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  /** The index of the duration's bucket. */
  record(region: string, operation: Operation, outcome: ExchangeOutcome, durationMs: number): number {
    return this.#series(region, operation, outcome).observe(durationMs);
  }

  attempted(region: string, outcome: AttemptOutcome): void {
    const outcomes = getOrCreate(this.attempts, region, () => new Map<string, number>());
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  redirected(from: string, to: string): void {
    const counts = getOrCreate(this.redirects, from, newMap<string, number>);
    counts.set(to, (counts.get(to) ?? 0) + 1);
  }

  retried(reason: string): void {
    this.retries.set(reason, (this.retries.get(reason) ?? 0) + 1);
  }

  /** The operations of each region, with the outcomes that occurred. */
  *operations(): Generator<{
    region: string;
    operation: Operation;
    outcomes: ReadonlyMap<ExchangeOutcome, Distribution>;
  }> {
    for (const [region, operations] of this.#byRegion) {
      for (const [operation, outcomes] of operations) yield { region, operation, outcomes };
    }
  }

  *entries(): Generator<{ region: string; operation: Operation; outcome: ExchangeOutcome; series: Distribution }> {
    for (const { region, operation, outcomes } of this.operations()) {
      for (const [outcome, series] of outcomes) yield { region, operation, outcome, series };
    }
  }

  #series(region: string, operation: Operation, outcome: ExchangeOutcome): Distribution {
    const operations = getOrCreate(this.#byRegion, region, newMap<Operation, Map<ExchangeOutcome, Distribution>>);
    const outcomes = getOrCreate(operations, operation, newMap<ExchangeOutcome, Distribution>);
    return getOrCreate(outcomes, outcome, newDurations);
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

function newDurations(): Distribution {
  return new Distribution(DURATIONS);
}

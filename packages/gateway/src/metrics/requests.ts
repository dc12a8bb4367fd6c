/** Metrics of clients' requests, attempts and retries. */
import type { HeldBytes } from '@causeway/http/held-bytes.ts';
import { counter, gauge, histogram } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { RetryBudget } from '../exchange/budget.ts';
import type { Registry } from '../regions/registry.ts';
import { ATTEMPT_OUTCOMES, EXCHANGE_OUTCOMES, RETRY_REASONS, type RequestStats } from '../stats.ts';

export const REQUEST_METRICS = {
  requests: counter(
    'causeway_requests_total',
    'Requests of clients, by the region of the response, or of the last attempt without one (none: no attempt), operation and outcome.',
    ['region', 'operation', 'outcome'],
  ),
  durations: histogram(
    'causeway_request_duration_seconds',
    'From the first byte of a request to the end of its response. The client chooses how long a poll takes.',
    ['region', 'operation', 'outcome'],
  ),
  attempts: counter('causeway_attempts_total', 'Attempts at targets, by outcome.', ['region', 'outcome']),
  retries: counter('causeway_retries_total', 'Retries and followed 421s, by reason; resends are not counted.', [
    'reason',
  ]),
  refusedRetries: counter(
    'causeway_retries_refused_total',
    'Requests that failed because the retry budget was used up.',
  ),
  generatedKeys: counter(
    'causeway_generated_keys_total',
    'Idempotency keys that produce requests without one got (retry.produce: exactly-once).',
  ),
  budget: gauge('causeway_retry_budget_remaining', 'Retries that the budget allows now.'),
  connections: gauge('causeway_client_connections', 'Open connections of clients, by listener.', ['listener']),
  refusedConnections: counter(
    'causeway_connections_refused_total',
    'Connections that a listener closed before their first request: maxConnections (too many are open), addressQuota (too many of the address, by quotas.default.maxConnections), unfinished (the oldest of too many without a finished TLS handshake or PROXY header), proxyHeader (an invalid PROXY header, or none in time).',
    ['listener', 'reason'],
  ),
  heldBytes: gauge('causeway_held_bytes', 'Bytes of request bodies, and of responses that clients have not read.'),
  overload: counter(
    'causeway_overload_total',
    'Clients that hit limits.maxInFlightBytes or limits.answerTimeoutMs: refused (503; large bodies are streamed instead), evicted (too slow while others needed the memory), unread (read no byte of a response in time).',
    ['outcome'],
  ),
  receivedBytes: counter('causeway_client_received_bytes_total', 'Bytes that clients sent, headers and bodies.'),
  sentBytes: counter('causeway_client_sent_bytes_total', 'Bytes that were sent to clients, headers and bodies.'),
};

/** The listeners for clients. */
export interface ClientSources {
  readonly all: readonly {
    readonly name: string;
    readonly connectionCount: number;
    readonly refusedCounts: Readonly<Record<string, number>>;
  }[];
  /** The bytes of all connections. */
  totals(): { receivedBytes: number; sentBytes: number };
}

export interface RequestSources {
  stats: RequestStats;
  budget: RetryBudget;
  retrySettings: () => GatewayConfig['retry'];
  clients: ClientSources;
  registry: Registry;
  held: HeldBytes;
}

export function addRequestMetrics(exposition: Exposition, sources: RequestSources): void {
  const { stats, budget, retrySettings, clients, registry, held } = sources;
  exposition.add(REQUEST_METRICS.requests, (sample) => {
    for (const { region, operation, outcomes } of stats.operations()) {
      // Those that did not happen are 0: a rate sees only what grows.
      for (const outcome of EXCHANGE_OUTCOMES) {
        sample({ region, operation, outcome }, outcomes.get(outcome)?.count ?? 0);
      }
    }
  });
  exposition.addDistributions(REQUEST_METRICS.durations, (sample) => {
    for (const { region, operation, outcome, series } of stats.entries()) {
      sample({ region, operation, outcome }, series);
    }
  });
  exposition.add(REQUEST_METRICS.attempts, (sample) => {
    const regions = new Set([...registry.config.regions.map(({ name }) => name), ...stats.attempts.keys()]);
    for (const region of regions) {
      const counts = stats.attempts.get(region);
      for (const outcome of ATTEMPT_OUTCOMES) sample({ region, outcome }, counts?.get(outcome) ?? 0);
    }
  });
  exposition.add(REQUEST_METRICS.retries, (sample) => {
    const reasons = new Set([...RETRY_REASONS, ...stats.retries.keys()]);
    for (const reason of reasons) sample({ reason }, stats.retries.get(reason) ?? 0);
  });
  exposition.addValue(REQUEST_METRICS.refusedRetries, () => budget.refusedCount);
  exposition.addValue(REQUEST_METRICS.generatedKeys, () => stats.generatedKeyCount);
  exposition.addValue(REQUEST_METRICS.budget, () => budget.remaining(retrySettings()));
  exposition.add(REQUEST_METRICS.connections, (sample) => {
    for (const { name, connectionCount } of clients.all) sample({ listener: name }, connectionCount);
  });
  exposition.add(REQUEST_METRICS.refusedConnections, (sample) => {
    for (const { name, refusedCounts } of clients.all) {
      for (const [reason, count] of Object.entries(refusedCounts)) sample({ listener: name, reason }, count);
    }
  });
  exposition.addValue(REQUEST_METRICS.heldBytes, () => held.bytes);
  exposition.add(REQUEST_METRICS.overload, (sample) => {
    for (const [outcome, count] of Object.entries(held.counts)) sample({ outcome }, count);
  });
  exposition.addValue(REQUEST_METRICS.receivedBytes, () => clients.totals().receivedBytes);
  exposition.addValue(REQUEST_METRICS.sentBytes, () => clients.totals().sentBytes);
}

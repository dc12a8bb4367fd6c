/** Metrics in Prometheus' form: read from the counters at each scrape, so that requests pay nothing for them. */
import { Counter, collectDefaultMetrics, Gauge, Registry as PrometheusRegistry } from 'prom-client';
import type { GatewayConfig } from './config/schema.ts';
import type { Affinity } from './consumers/affinity.ts';
import type { RetryBudget } from './proxy/budget.ts';
import type { Registry } from './regions/registry.ts';
import { DURATION_BUCKETS_MS, type RequestStats } from './stats.ts';

export interface MetricsSources {
  registry: Registry;
  stats: RequestStats;
  affinity: Affinity;
  budget: RetryBudget;
  retrySettings: () => GatewayConfig['retry'];
  connectionCount: () => number;
  reloadCounts: { applied: number; refused: number };
}

const BREAKER_STATES = ['closed', 'open', 'halfOpen'] as const;

export class Metrics {
  readonly #registry = new PrometheusRegistry();

  constructor(sources: MetricsSources) {
    collectDefaultMetrics({ register: this.#registry });
    this.#addRequests(sources);
    this.#addTargets(sources);
    this.#addGateway(sources);
  }

  async expose(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  close(): void {
    this.#registry.clear();
  }

  #addRequests({ stats }: MetricsSources): void {
    this.#counter(
      'causeway_requests_total',
      'Requests by region, operation and outcome.',
      ['region', 'operation', 'outcome'],
      (counter) => {
        for (const { region, operation, outcome, series } of stats.entries()) {
          counter.inc({ region, operation, outcome }, series.count);
        }
      },
    );
    this.#registry.registerMetric(durationHistogram(stats));
    this.#counter(
      'causeway_attempts_total',
      'Attempts at targets, by how they ended.',
      ['region', 'outcome'],
      (counter) => {
        for (const [region, outcomes] of stats.attempts) {
          for (const [outcome, count] of outcomes) counter.inc({ region, outcome }, count);
        }
      },
    );
    this.#counter('causeway_retries_total', 'Requests sent again to another target, by why.', ['reason'], (counter) => {
      for (const [reason, count] of stats.retries) counter.inc({ reason }, count);
    });
  }

  #addTargets({ registry }: MetricsSources): void {
    this.#counter('causeway_probes_total', 'Health probes by result.', ['region', 'target', 'result'], (counter) => {
      for (const { region, url, probeCounts } of registry.targets()) {
        counter.inc({ region, target: url, result: 'good' }, probeCounts.good);
        counter.inc({ region, target: url, result: 'failed' }, probeCounts.failed);
      }
    });
    this.#gauge('causeway_target_healthy', '1 when probes find the target well.', ['region', 'target'], (gauge) => {
      for (const { region, url, health } of registry.targets()) {
        gauge.set({ region, target: url }, health.status === 'healthy' ? 1 : 0);
      }
    });
    this.#gauge(
      'causeway_breaker_state',
      '1 for the state that the breaker is in.',
      ['region', 'target', 'state'],
      (gauge) => {
        for (const { region, url, breaker } of registry.targets()) {
          for (const state of BREAKER_STATES)
            gauge.set({ region, target: url, state }, breaker.state === state ? 1 : 0);
        }
      },
    );
    this.#gauge('causeway_in_flight_requests', 'Requests under way on targets.', ['region', 'target'], (gauge) => {
      for (const { region, url, inFlight } of registry.targets()) gauge.set({ region, target: url }, inFlight.size);
    });
    this.#gauge('causeway_region_weight', 'Weight by configuration.', ['region'], (gauge) => {
      for (const { name, weight } of registry.snapshot.regions) gauge.set({ region: name }, weight);
    });
    this.#gauge('causeway_panic', '1 while so few targets are left that all of them get traffic.', [], (gauge) => {
      gauge.set(registry.snapshot.isPanic ? 1 : 0);
    });
  }

  #addGateway({ affinity, budget, retrySettings, connectionCount, reloadCounts }: MetricsSources): void {
    this.#gauge('causeway_remembered_consumers', 'Consumers whose region is remembered.', ['region'], (gauge) => {
      for (const [region, count] of affinity.countByRegion()) gauge.set({ region }, count);
    });
    this.#gauge('causeway_retry_budget_remaining', 'Retries that are allowed now.', [], (gauge) => {
      gauge.set(budget.remaining(retrySettings()));
    });
    this.#gauge('causeway_client_connections', 'Connections of clients.', [], (gauge) => gauge.set(connectionCount()));
    this.#counter('causeway_config_reloads_total', 'Changes of the configuration file.', ['result'], (counter) => {
      counter.inc({ result: 'applied' }, reloadCounts.applied);
      counter.inc({ result: 'refused' }, reloadCounts.refused);
    });
  }

  #counter(name: string, help: string, labelNames: string[], read: (counter: Counter) => void): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        counter.reset();
        read(counter);
      },
    });
  }

  #gauge(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        // Labels of targets that are gone must not stay.
        gauge.reset();
        read(gauge);
      },
    });
  }
}

const DURATION_METRIC = 'causeway_request_duration_seconds';

type PrometheusMetric = Parameters<PrometheusRegistry['registerMetric']>[0];

/** prom-client's own histogram wants a label object for each observation; this one is read from the buckets. */
function durationHistogram(stats: RequestStats): PrometheusMetric {
  const metric = {
    name: DURATION_METRIC,
    help: 'From the first byte of a request to the end of its answer, in seconds.',
    type: 'histogram',
    aggregator: 'sum',
    reset() {},
    async get() {
      const values = [...stats.entries()].flatMap(({ region, operation, outcome, series }) => {
        const labels = { region, operation, outcome };
        let cumulative = 0;
        const buckets = [...DURATION_BUCKETS_MS, Number.POSITIVE_INFINITY].map((boundMs, index) => {
          cumulative += series.buckets[index] ?? 0;
          const le = Number.isFinite(boundMs) ? boundMs / 1_000 : '+Inf';
          return { metricName: `${DURATION_METRIC}_bucket`, labels: { ...labels, le }, value: cumulative };
        });
        return [
          ...buckets,
          { metricName: `${DURATION_METRIC}_sum`, labels, value: series.sumMs / 1_000 },
          { metricName: `${DURATION_METRIC}_count`, labels, value: series.count },
        ];
      });
      return { name: metric.name, help: metric.help, type: metric.type, aggregator: metric.aggregator, values };
    },
  };
  return metric as unknown as PrometheusMetric;
}

/** Writes declared metrics in Prometheus' text format, from plain counters at each scrape: requests pay nothing for it. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { MetricDeclaration } from './declaration.ts';
import type { Distribution } from './distribution.ts';

/** Gauges of prom-client with names of counters; other metrics have the same values by type. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

interface Value {
  metricName?: string;
  labels: Record<string, string | number>;
  value: number;
}

/** Calls `sample` once for each combination of labels that exists now. */
export type Read<Label extends string, Measure> = (
  sample: (labels: Readonly<Record<Label, string>>, value: Measure) => void,
) => void;

export class Exposition {
  readonly #registry = new Registry();

  /** Includes the process's own metrics: CPU, memory, event loop, garbage collection. */
  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** A counter or a gauge. Errors: when the name exists already. */
  add<Label extends string>(
    declaration: MetricDeclaration<Label, 'counter' | 'gauge'>,
    read: Read<Label, number>,
  ): void {
    this.#register(declaration, () => {
      const values: Value[] = [];
      read((labels, value) => values.push({ labels, value }));
      return values;
    });
  }

  /** A counter or a gauge without labels. Errors: as {@link add}. */
  addValue(declaration: MetricDeclaration<never, 'counter' | 'gauge'>, read: () => number): void {
    this.#register(declaration, () => [{ labels: {}, value: read() }]);
  }

  /** A histogram. Errors: as {@link add}. */
  addDistributions<Label extends string>(
    declaration: MetricDeclaration<Label, 'histogram'>,
    read: Read<Label, Distribution>,
  ): void {
    const { name } = declaration;
    this.#register(declaration, () => {
      const values: Value[] = [];
      read((labels, distribution) => values.push(...histogramValues(name, labels, distribution)));
      return values;
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Text format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    this.#registry.clear();
  }

  /** prom-client's own metrics need a label object for each count; these are read instead. */
  #register({ name, help, type }: MetricDeclaration, values: () => Value[]): void {
    this.#registry.registerMetric({
      name,
      async get() {
        return { name, help, type, aggregator: 'sum', values: values() };
      },
    } as unknown as Metric);
  }
}

function histogramValues(name: string, labels: Readonly<Record<string, string>>, distribution: Distribution): Value[] {
  const { bounds, buckets, perBaseUnit, sum, count } = distribution;
  let cumulative = 0;
  const values: Value[] = [...buckets].map((inBucket, index) => {
    cumulative += inBucket;
    const bound = bounds[index];
    const le = bound === undefined ? '+Inf' : bound / perBaseUnit;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative };
  });
  values.push({ metricName: `${name}_sum`, labels, value: sum / perBaseUnit });
  values.push({ metricName: `${name}_count`, labels, value: count });
  return values;
}

/** Declarations of metrics, from which the exposition and docs/metrics.md are made. */

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricDeclaration<Label extends string = string, Type extends MetricType = MetricType> {
  readonly type: Type;
  /** In Prometheus' conventions: base units, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

export function counter<const Label extends string = never>(
  name: `${string}_total`,
  help: string,
  labels: readonly Label[] = [],
): MetricDeclaration<Label, 'counter'> {
  return { type: 'counter', name, help, labels };
}

export function gauge<const Label extends string = never>(
  name: string,
  help: string,
  labels: readonly Label[] = [],
): MetricDeclaration<Label, 'gauge'> {
  return { type: 'gauge', name, help, labels };
}

export function histogram<const Label extends string = never>(
  name: string,
  help: string,
  labels: readonly Label[] = [],
): MetricDeclaration<Label, 'histogram'> {
  return { type: 'histogram', name, help, labels };
}

/** The versions of this program and of Node.js; the value is always 1. */
export const BUILD_INFO = gauge(
  'causeway_build_info',
  'Always 1; the labels say what runs here: gateway or bridge, its name, and versions.',
  ['program', 'name', 'version', 'node_version'],
);

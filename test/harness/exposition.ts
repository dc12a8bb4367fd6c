/** Parses Prometheus' text format 0.0.4, for tests of the metrics of a running program. */
import type { MetricDeclaration } from '@causeway/metrics/declaration.ts';

export interface ExposedSample {
  /** The names of a histogram's samples end in `_bucket`, `_sum` or `_count`. */
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface ExposedMetric {
  name: string;
  help: string;
  type: string;
  samples: ExposedSample[];
}

/** Errors: for an invalid line. */
export function parseExposition(text: string): Map<string, ExposedMetric> {
  const metrics = new Map<string, ExposedMetric>();
  let current: ExposedMetric | undefined;
  for (const line of text.split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind = '', name = '', rest = ''] = comment;
      current = metrics.get(name) ?? { name, help: '', type: '', samples: [] };
      metrics.set(name, current);
      if (kind === 'HELP') current.help = rest;
      else current.type = rest;
    } else if (line !== '') {
      const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (sample === null || current === undefined) throw new Error(`invalid sample: ${line}`);
      const [, name = '', labels = '', value = ''] = sample;
      current.samples.push({ name, labels: parseLabels(labels), value: Number(value.replace('Inf', 'Infinity')) });
    }
  }
  return metrics;
}

/** The sum of a metric's samples that have all of `labels`; 0 without samples. */
export function valueIn(text: string, name: string, labels: Record<string, string> = {}): number {
  return [...parseExposition(text).values()]
    .flatMap(({ samples }) => samples)
    .filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
}

/** The names of the samples of declared metrics, with their labels. */
export function knownMetrics(declarations: readonly MetricDeclaration[]): Map<string, Set<string>> {
  return new Map(
    declarations.flatMap(({ name, type, labels }): [string, Set<string>][] => {
      if (type !== 'histogram') return [[name, new Set(labels)]];
      return [
        [`${name}_bucket`, new Set([...labels, 'le'])],
        [`${name}_sum`, new Set(labels)],
        [`${name}_count`, new Set(labels)],
      ];
    }),
  );
}

function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]),
  ) as Record<string, string>;
}

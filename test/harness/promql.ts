/** The metrics and labels in a PromQL query, found with the parser of Prometheus' own UI. */
import { parser } from '@prometheus-io/lezer-promql';

/** Metrics by the labels that their samples have. */
export type KnownMetrics = ReadonlyMap<string, ReadonlySet<string>>;

/** Labels that Prometheus adds to every sample that it scrapes. */
const TARGET_LABELS = ['job', 'instance'];

interface Selector {
  metric: string;
  labels: string[];
}

/** Unknown names in a query: metrics, their labels, labels to group by. Errors: for an invalid query. */
export function unknownIn(query: string, known: KnownMetrics): string[] {
  const { selectors, groupingLabels } = namesIn(query);
  const labelsOf = (metric: string): Set<string> => new Set([...(known.get(metric) ?? []), ...TARGET_LABELS]);
  const all = new Set(selectors.flatMap(({ metric }) => [...labelsOf(metric)]));
  return [
    ...selectors.flatMap(({ metric, labels }) => {
      if (!known.has(metric)) return [`metric ${metric}`];
      return labels.filter((label) => !labelsOf(metric).has(label)).map((label) => `label ${label} of ${metric}`);
    }),
    ...groupingLabels.filter((label) => !all.has(label)).map((label) => `label ${label}`),
  ];
}

/** Errors: for an invalid query. */
function namesIn(query: string): { selectors: Selector[]; groupingLabels: string[] } {
  const selectors: Selector[] = [];
  const groupingLabels: string[] = [];
  let isGrouping = false;
  parser.parse(query).iterate({
    enter({ name, from, to, type }) {
      const text = query.slice(from, to);
      if (type.isError) throw new Error(`invalid PromQL at ${from}: ${query}`);
      if (name === 'VectorSelector') selectors.push({ metric: '', labels: [] });
      else if (name === 'GroupingLabels') isGrouping = true;
      else if (name === 'LabelName' && isGrouping) groupingLabels.push(text);
      else if (name === 'LabelName') selectors.at(-1)?.labels.push(text);
      else if (name === 'Identifier') Object.assign(selectors.at(-1) ?? {}, { metric: text });
    },
    leave({ name }) {
      if (name === 'GroupingLabels') isGrouping = false;
    },
  });
  return { selectors, groupingLabels };
}

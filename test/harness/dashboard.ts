/** The queries of the Grafana dashboard, as Prometheus receives them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../../config/grafana/causeway.json', import.meta.url));

interface Panel {
  id: number;
  title: string;
  description?: string;
  type: string;
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { expr: string }[];
}

export interface Dashboard {
  panels: Panel[];
  templating: { list: { name: string; type: string; definition?: string }[] };
}

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
}

/** With every variable at "All", and rates over a minute. */
export function dashboardQueries({ panels }: Dashboard): { panel: string; query: string }[] {
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      panel: title,
      query: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$[a-z]+/g, '.*'),
    })),
  );
}

/** The series whose labels a variable lists: `label_values(metric{…}, label)`. */
export function variableQueries({ templating }: Dashboard): { name: string; query: string; label: string }[] {
  return templating.list.flatMap(({ name, definition = '' }) => {
    const parts = /^label_values\((.*), (\w+)\)$/.exec(definition);
    return parts === null ? [] : [{ name, query: parts[1] ?? '', label: parts[2] ?? '' }];
  });
}

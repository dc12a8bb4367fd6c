/** config/grafana: the dashboard uses declared metrics and labels, and its panels do not overlap. */
import { BRIDGE_METRICS } from '@causeway/bridge/metrics.ts';
import { GATEWAY_METRICS } from '@causeway/gateway/metrics.ts';
import { expect, test } from 'vitest';
import { dashboardQueries, readDashboard, variableQueries } from './harness/dashboard.ts';
import { knownMetrics } from './harness/exposition.ts';
import { unknownIn } from './harness/promql.ts';

const dashboard = readDashboard();
const queries = dashboardQueries(dashboard);

/** Metrics of prom-client that the dashboard shows. */
const OF_THE_PROCESS = [
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_gc_duration_seconds_sum',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
];

const known = knownMetrics([...GATEWAY_METRICS, ...BRIDGE_METRICS]);
for (const name of OF_THE_PROCESS) known.set(name, new Set(name.includes('_gc_') ? ['kind'] : []));

test.each(queries)('panel "$panel": $query', ({ query }) => {
  expect(unknownIn(query, known)).toEqual([]);
});

test('variables list known labels', () => {
  const variables = variableQueries(dashboard);
  expect(variables.map(({ name }) => name)).toEqual(['gateway', 'bridge', 'region']);
  for (const { query, label } of variables) expect(unknownIn(`sum by (${label}) (${query})`, known)).toEqual([]);
});

test('the dashboard shows every metric, except those of certificates, hosts and the admin API, and redundant ones', () => {
  const text = queries.map(({ query }) => query).join('\n');
  const missing = [...GATEWAY_METRICS, ...BRIDGE_METRICS]
    .map(({ name }) => name)
    .filter((name) => !text.includes(name));
  expect(missing).toEqual([
    'causeway_target_healthy',
    'causeway_host_problem',
    'causeway_host_lookups_total',
    'causeway_config_last_reload_success_timestamp_seconds',
    'causeway_admin_changes_total',
    'causeway_admin_refused_requests_total',
    'causeway_upstream_certificate_expiry_timestamp_seconds',
    'causeway_upstream_certificate_expires_soon',
    'causeway_upstream_certificate_usable',
    'causeway_upstream_certificate_reloads_total',
    'causeway_certificate_expiry_timestamp_seconds',
    'causeway_certificate_expires_soon',
    'causeway_certificate_usable',
    'causeway_certificate_reloads_total',
    'causeway_tls_handshake_failures_total',
    'causeway_bridge_certificate_expiry_timestamp_seconds',
    'causeway_bridge_certificate_expires_soon',
    'causeway_bridge_certificate_usable',
    'causeway_bridge_certificate_reloads_total',
    'causeway_bridge_tls_handshake_failures_total',
  ]);
});

test('panels do not overlap, and have unique ids', () => {
  const cells = dashboard.panels.flatMap(({ title, gridPos: { x, y, w, h } }) => {
    expect(x + w, title).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

test('every panel has a description', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  expect(panels.filter(({ description = '' }) => !/^.{10,}\.$/.test(description)).map(({ title }) => title)).toEqual(
    [],
  );
});

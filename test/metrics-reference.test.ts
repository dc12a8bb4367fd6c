/** docs/metrics.md is made from what the code declares (`npx vitest run -u` rewrites it). */
import { fileURLToPath } from 'node:url';
import { SESSION_STATES } from '@causeway/bridge/metrics/consumers.ts';
import { BRIDGE_METRICS } from '@causeway/bridge/metrics.ts';
import { GATEWAY_METRICS } from '@causeway/gateway/metrics.ts';
import { ATTEMPT_OUTCOMES, EXCHANGE_OUTCOMES, RETRY_REASONS } from '@causeway/gateway/stats.ts';
import type { MetricDeclaration } from '@causeway/metrics/declaration.ts';
import { REQUEST_OUTCOMES } from '@causeway/metrics/request-outcome.ts';
import { describe, expect, test } from 'vitest';

const FILE = fileURLToPath(new URL('../docs/metrics.md', import.meta.url));

const HEAD = `# Metrics

\`GET /metrics\` on a gateway's admin port and on a bridge's own port (or its \`management.port\`), in Prometheus' text format.
[config/prometheus](../config/prometheus) scrapes them and has alerts, [config/grafana](../config/grafana) a dashboard; [operating.md](operating.md#alerts) says how to use them.

Durations are in seconds, sizes in bytes. Counters end in \`_total\` and restart at 0 with the process, as \`rate()\` expects. A
histogram has the series \`_bucket\` (with the label \`le\`), \`_sum\` and \`_count\`. Labels have few values, and never contain a
group, a consumer, a topic or a path.

This page is generated from the code, and a test keeps them equal.
`;

const TAIL = `## Both: the process

\`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`, \`process_open_fds\`, \`process_start_time_seconds\` and the other
\`process_*\` that Prometheus' clients expose; of Node.js \`nodejs_eventloop_lag_p50_seconds\`, \`…_p99_seconds\` and
\`…_max_seconds\` (delay of the event loop since the last scrape), \`nodejs_gc_duration_seconds\`,
\`nodejs_heap_size_used_bytes\` and others.
`;

const GATEWAY_LABELS = `\`operation\` is the operation of the API, by the names of its OpenAPI document. \`outcome\` of a request: ${code(EXCHANGE_OUTCOMES)};
of an attempt: ${code(ATTEMPT_OUTCOMES)}.
\`reason\` of a retry: ${code(RETRY_REASONS)}.
`;

const BRIDGE_LABELS = `\`outcome\` of a request: ${code(REQUEST_OUTCOMES)}. \`state\` of a consumer: ${code(SESSION_STATES)}.
\`request\`: as Kafka's protocol names its kinds of requests: \`Produce\`, \`Fetch\`, \`Heartbeat\`, …
`;

function code(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(', ');
}

function table(metrics: readonly MetricDeclaration[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => {
    return `| \`${name}\` | ${type} | ${code(labels)} | ${help} |`;
  });
  return ['| metric | type | labels | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

test('docs/metrics.md lists every metric of gateway and bridge', async () => {
  const text = [
    HEAD,
    `## Gateway\n\n${table(GATEWAY_METRICS)}\n\n${GATEWAY_LABELS}`,
    `## Bridge\n\n${table(BRIDGE_METRICS)}\n\n${BRIDGE_LABELS}`,
    TAIL,
  ].join('\n');
  await expect(text).toMatchFileSnapshot(FILE);
});

describe.each([...GATEWAY_METRICS, ...BRIDGE_METRICS])('$name', ({ name, type, help }) => {
  test('follows the conventions of Prometheus', () => {
    expect(name).toMatch(/^causeway_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(name).not.toMatch(/_(?:ms|milliseconds|percent|kb|mb)(?:_|$)/);
    expect(help).toMatch(/^[A-Z01].*[.)]$/);
  });
});

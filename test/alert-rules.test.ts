/** config/prometheus: Prometheus loads it, each alert says what to do, and its tests detect each wrong alert. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BRIDGE_METRICS } from '@causeway/bridge/metrics.ts';
import { GATEWAY_METRICS } from '@causeway/gateway/metrics.ts';
import { afterAll, expect, test } from 'vitest';
import { parse, parseDocument, visit } from 'yaml';
import { knownMetrics } from './harness/exposition.ts';
import { unknownIn } from './harness/promql.ts';
import { hasPrometheus, PROMETHEUS_NOTE, promtool } from './harness/promtool.ts';

const CONFIG = fileURLToPath(new URL('../config/prometheus', import.meta.url));
const RULES_FILE = 'causeway.rules.yml';
const TESTS_FILE = 'causeway.rules.test.yml';
const RULES_TEXT = readFileSync(join(CONFIG, RULES_FILE), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}

const rules = (parse(RULES_TEXT) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

const directory = mkdtempSync(join(tmpdir(), 'causeway-rules-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The rules, with the expression of each replaced. */
function rulesWith(expr: string): string {
  const document = parseDocument(RULES_TEXT);
  visit(document, {
    Map(_, map) {
      if (map.has('alert')) map.set('expr', expr);
    },
  });
  return document.toString();
}

test.skipIf(!hasPrometheus)(`Prometheus loads the configuration with its rules${PROMETHEUS_NOTE}`, () => {
  expect(promtool(['check', 'config', join(CONFIG, 'prometheus.yml')])).toMatchObject({ isGood: true });
});

test.skipIf(!hasPrometheus)(`the rules pass their tests${PROMETHEUS_NOTE}`, () => {
  expect(promtool(['test', 'rules', join(CONFIG, TESTS_FILE)])).toMatchObject({ isGood: true });
});

test.skipIf(!hasPrometheus).each([
  ['never fires', 'vector(1) == 0'],
  ['always fires', 'vector(1)'],
])(`the tests of the rules detect an alert that %s${PROMETHEUS_NOTE}`, (_, expr) => {
  cpSync(join(CONFIG, TESTS_FILE), join(directory, TESTS_FILE));
  writeFileSync(join(directory, RULES_FILE), rulesWith(expr));
  const { isGood, output } = promtool(['test', 'rules', join(directory, TESTS_FILE)]);
  expect(isGood).toBe(false);
  expect(rules.map(({ alert }) => alert).filter((alert) => !output.includes(alert))).toEqual([]);
});

test.each(rules)('$alert uses known metrics and labels', ({ expr }) => {
  const known = knownMetrics([...GATEWAY_METRICS, ...BRIDGE_METRICS]);
  for (const name of ['up', 'nodejs_eventloop_lag_p99_seconds']) known.set(name, new Set());
  expect(unknownIn(expr, known)).toEqual([]);
});

test.each(rules)('$alert has a severity, and says what happens and what to do', ({ labels, annotations }) => {
  expect(['critical', 'warning']).toContain(labels.severity);
  expect(Object.keys(annotations)).toEqual(['summary', 'description', 'action']);
  for (const text of Object.values(annotations)) expect(text.length).toBeGreaterThan(20);
});

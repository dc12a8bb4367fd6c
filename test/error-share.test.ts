/** What clients cause by themselves is no error: not for the rates, not for the alert, not for the dashboard. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { System } from '@causeway/protocol/admin/model.ts';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { dashboardQueries, readDashboard } from './harness/dashboard.ts';
import { type ExposedSample, parseExposition } from './harness/exposition.ts';
import { regions, startGateway, type TestGateway } from './harness/gateway.ts';
import { hasPrometheus, PROMETHEUS_NOTE, promtool } from './harness/promtool.ts';
import { until } from './harness/until.ts';
import { answerJson, startUpstream, type Upstream } from './harness/upstream.ts';

const RULES_FILE = fileURLToPath(new URL('../config/prometheus/causeway.rules.yml', import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-errors-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let east: Upstream;
let gw: TestGateway;
beforeEach(async () => {
  east = await startUpstream(answerJson({}));
  gw = await startGateway({
    regions: regions({ east: east.url }),
    request: { bufferBytes: 100, maxBodyBytes: 100 },
  });
});
afterEach(async () => {
  await gw.close();
  await east.kill();
});

async function statusOf(path: string, options: { method?: 'POST'; body?: string } = {}): Promise<number> {
  const response = await request(`${gw.url}${path}`, options);
  await response.body.dump();
  return response.statusCode;
}

const tooLarge = (): Promise<number> => statusOf('/topics/t', { method: 'POST', body: 'x'.repeat(200) });
const urlTooLong = (): Promise<number> => statusOf(`/topics/${'x'.repeat(15_000)}`);

async function requestCounts(): Promise<ExposedSample[]> {
  const response = await request(`${gw.adminUrl}/metrics`);
  return parseExposition(await response.body.text()).get('causeway_requests_total')?.samples ?? [];
}

async function clientRates(): Promise<System['clients']['rates']> {
  const response = await request(`${gw.adminUrl}/api/topology`);
  return ((await response.body.json()) as System).clients.rates;
}

/** Whether the alert fires, and what the dashboard shows, after minutes with these samples. */
function shownAfter(samples: readonly ExposedSample[]): {
  alerts: boolean;
  failedShare: boolean;
  errorsByRegion: boolean;
} {
  const query = (title: string): string => {
    const found = dashboardQueries(readDashboard()).find(({ panel }) => panel === title);
    if (found === undefined) throw new Error(`no panel ${title}`);
    return found.query;
  };
  const holds = (expr: string): boolean => {
    const series = samples.map(({ name, labels, value }) => {
      const pairs = Object.entries({ ...labels, instance: 'gw:8081' }).map(([label, text]) => `${label}="${text}"`);
      return { series: `${name}{${pairs.join(',')}}`, values: `0+${value}x20` };
    });
    const file = join(directory, 'test.yml');
    const expectation = { expr: `count(${expr})`, eval_time: '9m', exp_samples: [{ value: 1 }] };
    const tests = [{ interval: '30s', input_series: series, promql_expr_test: [expectation] }];
    writeFileSync(file, stringify({ rule_files: [RULES_FILE], tests }));
    return promtool(['test', 'rules', file]).isGood;
  };
  return {
    alerts: holds('ALERTS{alertname="CausewayErrorShareHigh",alertstate="firing"}'),
    failedShare: holds(`${query('Failed requests')} > 0`),
    errorsByRegion: holds(`sum(${query('Errors by region')}) > 0`),
  };
}

describe('requests that a gateway refuses for a fault of the client', () => {
  test('are 4xx, and no errors', async () => {
    const statuses = [await tooLarge(), await urlTooLong()];
    expect(statuses).toEqual([413, 414]);
    await until('the rates have them', async () => (await clientRates()).requestsPerSecond > 0);
    expect((await clientRates()).errorsPerSecond).toBe(0);
    const counted = (await requestCounts()).filter(({ value }) => value > 0);
    expect(counted.map(({ labels }) => [labels.region, labels.outcome])).toEqual([
      ['none', '4xx'],
      ['none', '4xx'],
    ]);
  });

  test.skipIf(!hasPrometheus)(`fire no alert, and are no failures on the dashboard${PROMETHEUS_NOTE}`, async () => {
    expect(await tooLarge()).toBe(413);
    expect(shownAfter(await requestCounts())).toEqual({ alerts: false, failedShare: false, errorsByRegion: false });
  });
});

describe('requests that no region can serve', () => {
  beforeEach(async () => {
    await east.kill();
    await until('the region is down', async () => (await statusOf('/topics')) >= 500);
  });

  test('are errors of the gateway', async () => {
    await until('the rates have them', async () => (await clientRates()).errorsPerSecond > 0);
    const counted = (await requestCounts()).filter(
      ({ labels, value }) => value > 0 && labels.outcome === 'gatewayError',
    );
    expect(counted).not.toEqual([]);
  });

  test.skipIf(!hasPrometheus)(`fire the alert, and are failures on the dashboard${PROMETHEUS_NOTE}`, async () => {
    expect(shownAfter(await requestCounts())).toEqual({ alerts: true, failedShare: true, errorsByRegion: true });
  });
});

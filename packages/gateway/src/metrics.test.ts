import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { parseExposition, valueIn } from '../../../test/harness/exposition.ts';
import { regions, startGateway, type TestGateway, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream } from '../../../test/harness/upstream.ts';
import { GATEWAY_METRICS } from './metrics.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function upstream(): Promise<Upstream> {
  const started = await startUpstream();
  closers.push(() => started.kill());
  return started;
}

async function gateway(overrides: Record<string, unknown>): Promise<TestGateway> {
  const started = await startGateway(overrides);
  closers.push(() => started.close());
  return started;
}

async function exposed({ adminUrl }: TestGateway): Promise<string> {
  return (await request(`${adminUrl}/metrics`)).body.text();
}

async function send({ url }: TestGateway, body = '{"records":[]}'): Promise<number> {
  const { statusCode, body: answer } = await request(`${url}/topics/t`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
    body,
  });
  await answer.dump();
  return statusCode;
}

test('what is declared is what is exposed', async () => {
  const east = await upstream();
  const metrics = parseExposition(await exposed(await gateway({ regions: regions({ east: east.url }) })));
  for (const { name, type, help } of GATEWAY_METRICS) expect(metrics.get(name)).toMatchObject({ type, help });
  const others = [...metrics.keys()].filter((name) => !GATEWAY_METRICS.some((metric) => metric.name === name));
  expect(others.filter((name) => !/^(?:process|nodejs)_/.test(name))).toEqual([]);
});

test('counters are there with 0 before anything happened: a rate sees only what grows', async () => {
  const east = await upstream();
  const west = await upstream();
  const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
  await send(gw);
  const metrics = parseExposition(await exposed(gw));
  const samples = (name: string): string[] =>
    (metrics.get(name)?.samples ?? []).map(({ labels, value }) => `${Object.values(labels).join(' ')} ${value}`);
  expect(samples('causeway_failovers_total')).toEqual(['east 0', 'west 0']);
  expect(samples('causeway_redirected_requests_total')).toEqual(['east west 0', 'west east 0']);
  expect(samples('causeway_retries_total')).toContain('connectFailed 0');
  expect(samples('causeway_retries_refused_total')).toEqual([' 0']);
  expect(samples('causeway_requests_total').filter((sample) => sample.endsWith('gatewayError 0'))).toHaveLength(1);
});

test('a region that goes down: its target, the requests that left it, and the work that another one does', async () => {
  const east = await upstream();
  const west = await upstream();
  east.handle = () => {};
  const gw = await gateway({ regions: regions({ east: east.url, west: west.url }, { west: 0 }) });
  const pending = Array.from({ length: 5 }, () => send(gw));
  await until('all are in flight on east', () => east.requests.length === 5);
  expect(valueIn(await exposed(gw), 'causeway_in_flight_requests', { region: 'east' })).toBe(5);
  gw.gateway.reload(testConfig({ regions: regions({ east: east.url, west: west.url }) }));
  east.isFrozen = true;
  expect(await Promise.all(pending)).toEqual([200, 200, 200, 200, 200]);
  const text = await exposed(gw);
  expect(valueIn(text, 'causeway_target_available', { region: 'east' })).toBe(0);
  expect(valueIn(text, 'causeway_target_available', { region: 'west' })).toBe(1);
  expect(valueIn(text, 'causeway_failovers_total', { region: 'east' })).toBe(5);
  expect(valueIn(text, 'causeway_retries_total', { reason: 'targetDown' })).toBe(5);
  expect(valueIn(text, 'causeway_redirected_requests_total', { from: 'east', to: 'west' })).toBe(5);
  expect(valueIn(text, 'causeway_probes_total', { region: 'east', result: 'failed' })).toBeGreaterThan(0);
  expect(valueIn(text, 'causeway_probe_duration_seconds_count', { region: 'west' })).toBe(
    valueIn(text, 'causeway_probes_total', { region: 'west' }),
  );
});

test('a retry that the budget refuses is counted', async () => {
  const east = await upstream();
  const west = await upstream();
  for (const each of [east, west]) each.handle = answerJson({}, 503);
  const gw = await gateway({
    regions: regions({ east: east.url, west: west.url }),
    retry: { budgetPercent: 0, budgetMinRetries: 1 },
  });
  for (let index = 0; index < 4; index += 1) expect(await send(gw)).toBe(503);
  const text = await exposed(gw);
  expect(valueIn(text, 'causeway_retries_total', { reason: 'status_503' })).toBe(1);
  expect(valueIn(text, 'causeway_retries_refused_total')).toBe(3);
  expect(valueIn(text, 'causeway_retry_budget_remaining')).toBe(0);
});

test('bytes of clients are counted while their connections are open, and stay counted', async () => {
  const east = await upstream();
  const gw = await gateway({ regions: regions({ east: east.url }) });
  const body = JSON.stringify({ records: [{ value: 'x'.repeat(10_000) }] });
  await send(gw, body);
  const received = async (): Promise<number> => valueIn(await exposed(gw), 'causeway_client_received_bytes_total');
  expect(await received()).toBeGreaterThan(body.length);
  expect(await received()).toBeLessThan(body.length + 1_000);
  expect(valueIn(await exposed(gw), 'causeway_client_sent_bytes_total')).toBeGreaterThan(100);
  const before = await received();
  const { body: answer } = await request(`${gw.url}/topics/t`, { headers: { connection: 'close' } });
  await answer.dump();
  const connectionCount = async (): Promise<number> => valueIn(await exposed(gw), 'causeway_client_connections');
  await until('the connection is gone', async () => (await connectionCount()) === 0);
  expect(await received()).toBeGreaterThan(before);
});

test('a refused reload is shown until a good one follows, with the time of the last good one', async () => {
  const east = await upstream();
  const config = { regions: regions({ east: east.url }) };
  const gw = await gateway(config);
  const isCurrent = async (): Promise<number> => valueIn(await exposed(gw), 'causeway_config_last_reload_successful');
  const loadedAt = async (): Promise<number> =>
    valueIn(await exposed(gw), 'causeway_config_last_reload_success_timestamp_seconds');
  const startedAt = await loadedAt();
  expect(Math.abs(startedAt - Date.now() / 1_000)).toBeLessThan(30);
  expect(await isCurrent()).toBe(1);
  gw.gateway.refuseReload('g.yaml:3: wieght: unknown key');
  expect([await isCurrent(), await loadedAt()]).toEqual([0, startedAt]);
  gw.gateway.reload(testConfig(config));
  expect(await isCurrent()).toBe(1);
  expect(await loadedAt()).toBeGreaterThan(startedAt);
});

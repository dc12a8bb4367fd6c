/** A configuration that changes while requests are in flight. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { regions, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { configStatus, eventOf, from, gateway, produce, twoRegions, upstream } from './fixture.ts';

describe('reload', () => {
  test('a weight moves traffic, and targets keep their health, counters and connections', async () => {
    const east = await upstream(answerJson({ from: 'east' }));
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }, { west: 0 }) });
    expect(await from(gw)).toBe('east');
    gw.gateway.reload(testConfig({ regions: regions({ east: east.url, west: west.url }, { east: 0 }) }));
    expect(await from(gw)).toBe('west');
    expect(gw.gateway.events.recent().filter((event) => event.type === 'health')).toHaveLength(2);
    expect(gw.gateway.events.recent().findLast(({ type }) => type === 'reload')).toMatchObject({
      type: 'reload',
      changes: ['regions.east.weight: 100 → 0', 'regions.west.weight: 0 → 100'],
    });
  });

  test('other settings leave consumers where they live', async () => {
    const created = answerJson({ instance_id: 'generated', base_uri: 'x' });
    const east = await upstream(created);
    const west = await upstream(created);
    const yaml = { regions: regions({ east: east.url, west: west.url }) };
    const gw = await gateway(yaml);
    await (await request(`${gw.url}/consumers/g`, { method: 'POST' })).body.dump();
    const home = east.requests.length === 1 ? east : west;
    gw.gateway.reload(
      testConfig({ ...yaml, breaker: { resetMs: 1_000 }, upstream: { keepAliveMs: 1_000 }, healthCheck: { rise: 3 } }),
    );
    for (let index = 0; index < 10; index += 1) {
      await (await request(`${gw.url}/consumers/g/instances/generated/records`)).body.dump();
    }
    expect(home.requests).toHaveLength(11);
  });

  test('other settings close a breaker that was open, and say so', async () => {
    const { east, west, gw } = await twoRegions(answerJson({}, 500), { breaker: { minRequests: 2, resetMs: 60_000 } });
    await (await request(`${gw.url}/topics/t`, produce)).body.dump();
    await (await request(`${gw.url}/topics/t`, produce)).body.dump();
    await eventOf(gw, 'breaker');
    gw.gateway.reload(
      testConfig({ regions: regions({ east: east.url, west: west.url }), breaker: { resetMs: 1_000 } }),
    );
    const states = gw.gateway.events.recent().flatMap((event) => (event.type === 'breaker' ? [event.to] : []));
    expect(states).toEqual(['open', 'closed']);
  });

  test('a region that is removed finishes what it has', async () => {
    let finish = (): void => {};
    const east = await upstream((received, response) => {
      finish = () => answerJson({ from: 'east' })(received, response);
    });
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }, { west: 0 }) });
    const pending = request(`${gw.url}/topics/t`, produce);
    await until('it is in flight', () => east.requests.length === 1);
    gw.gateway.reload(testConfig({ regions: regions({ west: west.url }) }));
    expect(await from(gw)).toBe('west');
    finish();
    expect(await (await pending).body.json()).toEqual({ from: 'east' });
  });

  test('a refused one is reported until a valid one follows', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    gw.gateway.refuseReload('g.yaml:3: wieght: unknown key');
    expect(await configStatus(gw)).toMatchObject({ lastError: { reason: 'g.yaml:3: wieght: unknown key' } });
    gw.gateway.reload(testConfig({ regions: regions({ east: east.url }) }));
    expect(await configStatus(gw)).toMatchObject({ lastError: null });
    const metrics = await (await request(`${gw.adminUrl}/metrics`)).body.text();
    expect(metrics).toContain('causeway_config_reloads_total{result="refused"} 1');
    expect(metrics).toContain('causeway_config_reloads_total{result="applied"} 1');
  });
});

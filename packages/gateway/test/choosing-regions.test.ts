/** Which region gets a request. */
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { regions, startGateway } from '../../../test/harness/gateway.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { answerJson, type UpstreamHandler } from '../../../test/harness/upstream.ts';
import { gateway, seededRandom, twoRegions, upstream } from './fixture.ts';

describe('choosing a region', () => {
  test('weights 80 and 20 are met within 5 points over 1,000 requests', async () => {
    const east = await upstream(answerJson({ from: 'east' }));
    const west = await upstream(answerJson({ from: 'west' }));
    const config = {
      regions: regions({ east: east.url, west: west.url }, { east: 80, west: 20 }),
      // Probes take their times by chance, too: none comes in between, and the numbers are the same in each run.
      healthCheck: { intervalMs: 600_000, timeoutMs: 10_000, rise: 1 },
    };
    const gw = await startGateway(config, { random: seededRandom() });
    onTestFinished(gw.close);
    for (let index = 0; index < 1_000; index += 1) await (await request(`${gw.url}/topics`)).body.dump();
    expect(east.requests.length).toBeGreaterThan(750);
    expect(east.requests.length).toBeLessThan(850);
  });

  test('a consumer’s requests stay together, and consumers are spread', async () => {
    const handler =
      (from: string): UpstreamHandler =>
      (received, response) =>
        received.method === 'POST' && received.url === '/consumers/g'
          ? answerJson({ instance_id: JSON.parse(received.body).name, base_uri: 'x' })(received, response)
          : answerJson({ from })(received, response);
    const east = await upstream(handler('east'));
    const west = await upstream(handler('west'));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
    for (let consumer = 0; consumer < 40; consumer += 1) {
      const body = JSON.stringify({ name: `c${consumer}` });
      await (await request(`${gw.url}/consumers/g`, { method: 'POST', body })).body.dump();
      for (let poll = 0; poll < 3; poll += 1)
        await (await request(`${gw.url}/consumers/g/instances/c${consumer}/records`)).body.dump();
    }
    const homes = new Map<string, Set<string>>();
    for (const [region, { requests }] of Object.entries({ east, west })) {
      for (const { url, body } of requests) {
        const name = /instances\/(c\d+)/.exec(url)?.[1] ?? JSON.parse(body).name;
        homes.set(name, (homes.get(name) ?? new Set()).add(region));
      }
    }
    expect([...homes.values()].every((regions) => regions.size === 1)).toBe(true);
    expect(east.requests.length).toBeGreaterThan(40);
    expect(west.requests.length).toBeGreaterThan(40);
  });

  test('a consumer with a generated name is found where it was created', async () => {
    const east = await upstream(answerJson({ instance_id: 'generated', base_uri: 'x' }));
    const west = await upstream(answerJson({ instance_id: 'generated', base_uri: 'x' }));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
    await (await request(`${gw.url}/consumers/g`, { method: 'POST' })).body.dump();
    const home = east.requests.length === 1 ? east : west;
    for (let index = 0; index < 10; index += 1)
      await (await request(`${gw.url}/consumers/g/instances/generated/records`)).body.dump();
    expect(home.requests).toHaveLength(11);
    const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
      consumers: { count: number };
    };
    expect(topology.consumers.count).toBe(1);
  });

  test('a consumer whose delete failed is still known', async () => {
    const answers =
      (from: string): UpstreamHandler =>
      (received, response) =>
        received.method === 'DELETE'
          ? answerJson({ error_code: 500, message: 'no' }, 500)(received, response)
          : answerJson({ instance_id: 'generated', base_uri: 'x', from })(received, response);
    const east = await upstream(answers('east'));
    const west = await upstream(answers('west'));
    const gw = await gateway({ regions: regions({ east: east.url, west: west.url }) });
    await (await request(`${gw.url}/consumers/g`, { method: 'POST' })).body.dump();
    const home = east.requests.length === 1 ? east : west;
    await (await request(`${gw.url}/consumers/g/instances/generated`, { method: 'DELETE' })).body.dump();
    for (let index = 0; index < 5; index += 1) {
      await (await request(`${gw.url}/consumers/g/instances/generated/records`)).body.dump();
    }
    expect(home.requests).toHaveLength(7);
  });

  test('a request that another region has passed on stays in this one', async () => {
    const { east, west, gw } = await twoRegions((_, response) => response.destroy(), { gateway: { region: 'east' } });
    const crossed = await request(`${gw.url}/topics`, {
      headers: { 'causeway-gateway': 'tier1, west/gateway', ...PROOF },
    });
    expect(crossed.statusCode).toBe(502);
    expect(west.requests).toHaveLength(0);
    const own = await request(`${gw.url}/topics`, { headers: { 'causeway-gateway': 'tier1', ...PROOF } });
    expect(own.statusCode).toBe(200);
    expect(east.requests).toHaveLength(2);
  });
});

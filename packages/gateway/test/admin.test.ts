/** What the admin port of a running gateway reports. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, produce, twoRegions, upstream } from './fixture.ts';

describe('admin', () => {
  test('topology shows state, share and load of each region', async () => {
    const { east, gw } = await twoRegions(answerJson({}));
    await (await request(`${gw.url}/topics`)).body.dump();
    await east.kill();
    await until('east is down', async () => {
      const topology = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as {
        regions: { state: string }[];
      };
      return topology.regions[0]?.state === 'down';
    });
    const topology = await (await request(`${gw.adminUrl}/api/topology`)).body.json();
    expect(topology).toMatchObject({
      gateway: { name: 'gateway', region: null },
      isPanic: false,
      regions: [
        {
          name: 'east',
          weight: 100,
          priority: 0,
          targets: [
            {
              url: east.url,
              isAvailable: false,
              health: { status: 'unhealthy', reason: expect.stringContaining('connection refused') },
              breaker: { state: 'closed' },
            },
          ],
        },
        { name: 'west', state: 'up', inFlight: 0 },
      ],
      config: { file: 'test.yaml', lastError: null },
    });
  });

  test('events are sent as they happen, and from where a listener left off', async () => {
    const { east, gw } = await twoRegions(answerJson({}));
    const stream = await request(`${gw.adminUrl}/api/events`, { headers: { 'last-event-id': '2' } });
    expect(stream.headers['content-type']).toBe('text/event-stream');
    let text = '';
    stream.body.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.body.on('error', () => {});
    await east.kill();
    await until('the flip arrives', () => text.includes('"to":"unhealthy"'));
    expect(text).not.toContain('id: 1\n');
    expect(text).toContain('event: health\ndata: {"type":"health","region":"east"');
    stream.body.destroy();
  });

  test('a region’s own admin API is relayed, and one that is unknown or has none is 404', async () => {
    const east = await upstream();
    const inner = await gateway({ regions: regions({ east: east.url }), gateway: { name: 'inner', region: 'east' } });
    const gw = await gateway({
      regions: [
        { name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] },
        { name: 'west', targets: [{ url: 'http://127.0.0.1:1' }] },
      ],
    });
    const relayed = await request(`${gw.adminUrl}/api/regions/east/topology`);
    expect(await relayed.body.json()).toMatchObject({ gateway: { name: 'inner', region: 'east' } });
    const unknown = await request(`${gw.adminUrl}/api/regions/north/topology`);
    expect([unknown.statusCode, await unknown.body.json()]).toEqual([
      404,
      { error_code: 404, message: 'There is no region north (known: east, west).' },
    ]);
    expect((await request(`${gw.adminUrl}/api/regions/west/topology`)).statusCode).toBe(404);
    expect((await request(`${gw.adminUrl}/nothing`)).statusCode).toBe(404);
  });

  test('metrics count requests, attempts, retries, probes and durations', async () => {
    const { gw } = await twoRegions((_, response) => response.destroy());
    await (await request(`${gw.url}/topics/t`, produce)).body.dump();
    const text = await (await request(`${gw.adminUrl}/metrics`)).body.text();
    expect(text).toContain('causeway_requests_total{region="west",operation="send",outcome="2xx"} 1');
    expect(text).toContain('causeway_attempts_total{region="east",outcome="brokenBeforeHeaders"} 1');
    expect(text).toContain('causeway_retries_total{reason="brokenBeforeHeaders"} 1');
    expect(text).toContain(
      'causeway_request_duration_seconds_bucket{region="west",operation="send",outcome="2xx",le="+Inf"} 1',
    );
    expect(text).toMatch(/causeway_probes_total\{region="east",target="[^"]+",result="good"\} [1-9]/);
    expect(text).toContain('causeway_in_flight_requests');
  });
});

/** Health and circuit breakers, as requests see them. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { eventOf, from, gateway, produce, twoRegions, upstream } from './fixture.ts';

describe('health', () => {
  test('a region that is not ready gets nothing, and gets work again when it is', async () => {
    const { east, gw } = await twoRegions(answerJson({ from: 'east' }));
    await until('east is healthy', async () => (await from(gw)) === 'east');
    east.readyStatus = 503;
    await until('east is left', async () => (await from(gw)) === 'west');
    east.readyStatus = 200;
    await until('east is back', async () => (await from(gw)) === 'east');
    const flips = gw.gateway.events.recent().filter((event) => event.type === 'health' && event.target === east.url);
    // On a busy machine the first probe of all may have been too late.
    const [well, left, back] = flips.slice(-3);
    expect([well, left, back]).toMatchObject([{ to: 'healthy' }, { to: 'unhealthy' }, { to: 'healthy' }]);
    expect(left).toMatchObject({ reason: 'probe got 503, 2 in a row' });
  });

  test('is reported to load balancers that ask with HEAD', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    const ask = async (path: string): Promise<[number, string]> => {
      const { statusCode, body } = await request(`${gw.url}${path}`, { method: 'HEAD' });
      return [statusCode, await body.text()];
    };
    expect(await ask('/healthy')).toEqual([200, '']);
    expect(await ask('/ready')).toEqual([200, '']);
    east.readyStatus = 503;
    await until('it is not ready', async () => (await ask('/ready'))[0] === 503);
    expect(await ask('/healthy')).toEqual([200, '']);
    expect(east.requests).toEqual([]);
  });

  test('when too few are left, probes are not believed', async () => {
    const { east, west, gw } = await twoRegions(answerJson({ from: 'east' }));
    east.readyStatus = 503;
    west.readyStatus = 503;
    await eventOf(gw, 'panic');
    expect(await from(gw)).toBe('east');
    expect((await request(`${gw.url}/ready`)).statusCode).toBe(503);
    expect((await request(`${gw.url}/healthy`)).statusCode).toBe(200);
  });

  test('a regional gateway reports its own region to a peer, and all to a client', async () => {
    const { east, gw } = await twoRegions(answerJson({}), { gateway: { name: 'gateway', region: 'east' } });
    east.readyStatus = 503;
    await until('east is down', () =>
      gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
    );
    expect((await request(`${gw.url}/ready`)).statusCode).toBe(200);
    const asPeer = await request(`${gw.url}/ready`, { headers: { 'causeway-gateway': 'tier1', ...PROOF } });
    expect(asPeer.statusCode).toBe(503);
    expect(await asPeer.body.json()).toMatchObject({
      message:
        'Gateway gateway of region east has no available target: region east is unhealthy (probe got 503, 2 in a row).',
    });
  });
});

test('a breaker opens on a region that answers 500, and closes when it recovers', async () => {
  const { east, gw } = await twoRegions(answerJson({ from: 'east' }, 500), {
    // Open for longer than the requests take that are to find it open.
    breaker: { minRequests: 5, resetMs: 3_000 },
  });
  for (let index = 0; index < 5; index += 1) await (await request(`${gw.url}/topics/t`, produce)).body.dump();
  await until('the breaker is open', async () => (await from(gw)) === 'west');
  const count = east.requests.length;
  expect(await from(gw)).toBe('west');
  expect(east.requests).toHaveLength(count);
  east.handle = answerJson({ from: 'east' });
  await until('the breaker is closed', async () => (await from(gw)) === 'east');
  const states = gw.gateway.events.recent().flatMap((event) => (event.type === 'breaker' ? [event.to] : []));
  expect(states.slice(0, 2)).toEqual(['open', 'halfOpen']);
  expect(states.at(-1)).toBe('closed');
});

test('a consumer whose own requests fail with 500 does not open the breaker', async () => {
  const { gw } = await twoRegions(answerJson({ error_code: 500, message: 'Consumer is not subscribed' }, 500), {
    breaker: { minRequests: 5 },
  });
  for (let index = 0; index < 10; index += 1) {
    expect((await request(`${gw.url}/consumers/g/instances/i/records`)).statusCode).toBe(500);
  }
  expect(gw.gateway.events.recent().filter((event) => event.type === 'breaker')).toEqual([]);
});

test('a client whose requests are at fault with 500 does not open the breaker, at either tier', async () => {
  const { east, gw: regional } = await twoRegions(
    (_, response) => response.writeHead(500, { 'causeway-fault': 'request' }).end('{}'),
    { breaker: { minRequests: 5 }, gateway: { name: 'east-gateway', region: 'east' } },
  );
  const tier1 = await gateway({ regions: regions({ east: regional.url }), breaker: { minRequests: 5 } });
  for (let index = 0; index < 10; index += 1) {
    const { statusCode, headers, body } = await request(`${tier1.url}/topics/a%20b`);
    await body.dump();
    expect(statusCode).toBe(500);
    expect(headers).not.toHaveProperty('causeway-fault');
  }
  expect(east.requests).toHaveLength(10);
  for (const { gateway: each } of [tier1, regional]) {
    expect(each.events.recent().filter((event) => event.type === 'breaker')).toEqual([]);
  }
});

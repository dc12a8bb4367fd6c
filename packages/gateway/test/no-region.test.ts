/** What a client gets when no region responds. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, never, produce, twoRegions, upstream } from './fixture.ts';

describe('when no region can answer', () => {
  test('a region’s refusal is passed on at once, without waiting for a silent region', async () => {
    const { east, west, gw } = await twoRegions(never);
    east.isFrozen = true;
    await until('east is down', () =>
      gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
    );
    west.handle = answerJson({ error_code: 503, message: 'overloaded' }, 503);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, await answer.body.json()]).toEqual([503, { error_code: 503, message: 'overloaded' }]);
  });

  test('a refusal too long to be held keeps its status', async () => {
    const { west, gw } = await twoRegions(answerJson({ error_code: 503, message: 'a' }, 503), {
      response: { bufferBytes: 0 },
      retry: { produce: 'at-most-once' },
    });
    west.handle = answerJson({ error_code: 503, message: 'overloaded' }, 503);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, await answer.body.json()]).toEqual([
      503,
      { error_code: 503, message: 'Region west answered 503.' },
    ]);
  });

  test('503 for what is over the limit of requests in flight', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }), upstream: { maxInFlight: 1 } });
    const first = request(`${gw.url}/topics/t`, produce);
    first.catch(() => {});
    await until('one is in flight', () => east.requests.length === 1);
    const second = await request(`${gw.url}/topics/t`, produce);
    expect([second.statusCode, await second.body.json()]).toEqual([
      503,
      {
        error_code: 503,
        message:
          'The regions that could serve this request have as many as they may; try again: region east is at its limit of requests in flight.',
      },
    ]);
    expect(east.requests).toHaveLength(1);
  });

  test('502 names the regions and the reasons', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy());
    west.handle = (_, response) => response.destroy();
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(answer.statusCode).toBe(502);
    expect(answer.headers['content-type']).toBe('application/vnd.kafka.v2+json');
    expect(await answer.body.json()).toEqual({
      error_code: 502,
      message: 'No region answered this request: region east: connection closed; region west: connection closed.',
    });
  });

  test('a produce that must not stand twice is 502 after a break, and fails over where nothing was sent', async () => {
    const { east, gw } = await twoRegions((_, response) => response.destroy(), { retry: { produce: 'at-most-once' } });
    expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(502);
    await east.kill();
    expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(200);
  });

  test('504 after the deadline', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }), request: { deadlineMs: 1_500 } });
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(answer.statusCode).toBe(504);
    expect(await answer.body.json()).toMatchObject({
      message: expect.stringMatching(
        /^No region answered this request in time: region east: no response within \d+ ms\.$/,
      ),
    });
  });

  test('503 with Retry-After when every region is set to weight 0', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }, { east: 0 }) });
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(await answer.body.json()).toEqual({
      error_code: 503,
      message: 'No region can serve this request: region east has weight 0.',
    });
  });

  test('the last region’s own 503 reaches the client as it is', async () => {
    const { west, gw } = await twoRegions(answerJson({ error_code: 503, message: 'a' }, 503));
    west.handle = answerJson({ error_code: 503, message: 'overloaded' }, 503);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect([answer.statusCode, await answer.body.json()]).toEqual([503, { error_code: 503, message: 'overloaded' }]);
  });

  test('an empty retry budget ends in 503, not in a storm', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy(), {
      retry: { budgetPercent: 0, budgetMinRetries: 2 },
      breaker: { minRequests: 1_000 },
    });
    const statuses: number[] = [];
    for (let index = 0; index < 4; index += 1) {
      const answer = await request(`${gw.url}/topics/t`, produce);
      statuses.push(answer.statusCode);
      await answer.body.dump();
    }
    expect(statuses).toEqual([200, 200, 503, 503]);
    expect(west.requests).toHaveLength(2);
  });
});

/** A region that fails: what its clients see. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, type UpstreamHandler } from '../../../test/harness/upstream.ts';
import { eventOf, never, produce, twoRegions } from './fixture.ts';

describe('a region that fails costs the client nothing', () => {
  test.each<[string, UpstreamHandler]>([
    ['breaks the connection before the answer', (_, response) => response.destroy()],
    [
      'breaks the connection within the answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half of it');
        setImmediate(() => response.destroy());
      },
    ],
    ['answers 503', answerJson({ error_code: 503, message: 'not now' }, 503)],
    [
      'answers 503 at a length that cannot be held',
      (_, response) => {
        response.writeHead(503);
        response.end('x'.repeat(17_000_000));
      },
    ],
    ['answers 502', answerJson({ error_code: 502, message: 'not now' }, 502)],
  ])('when it %s', async (_, handler) => {
    const { east, west, gw } = await twoRegions(handler);
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(answer.statusCode).toBe(200);
    expect(await answer.body.json()).toEqual({ from: 'west' });
    expect(east.requests).toHaveLength(1);
    expect(west.requests[0]?.body).toBe(produce.body);
  });

  test('with a body and an answer of 8 MiB, which breaks off before its last byte', async () => {
    const bytes = 8 * 1_048_576;
    const { east, west, gw } = await twoRegions((_, response) => {
      response.writeHead(200, { 'content-length': bytes }).write(Buffer.alloc(bytes - 1));
      setTimeout(() => response.destroy(), 100);
    });
    west.handle = (_, response) => response.end('w'.repeat(bytes));
    const body = 'x'.repeat(bytes);
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body });
    expect(answer.statusCode).toBe(200);
    expect((await answer.body.text()) === 'w'.repeat(bytes)).toBe(true);
    expect([east, west].map(({ requests }) => requests.map((received) => received.body === body))).toEqual([
      [true],
      [true],
    ]);
  });

  test('when nothing listens there any more', async () => {
    const { east, gw } = await twoRegions(answerJson({ from: 'east' }));
    await east.kill();
    const answer = await request(`${gw.url}/topics/t`, produce);
    expect(await answer.body.json()).toEqual({ from: 'west' });
  });

  test('when it freezes: requests in flight move once it is declared down', async () => {
    const { east, west, gw } = await twoRegions(never, { request: { attemptTimeoutMs: 60_000, deadlineMs: 120_000 } });
    const watch = new Stopwatch();
    const pending = [1, 2, 3].map(() => request(`${gw.url}/topics/t`, produce));
    await until('they are in flight', () => east.requests.length === 3);
    east.isFrozen = true;
    for (const answer of await Promise.all(pending)) expect(await answer.body.json()).toEqual({ from: 'west' });
    // intervalMs + fall * timeoutMs = 4 s, far from the minute of one attempt.
    expect(watch.stop()).toBeLessThan(20_000);
    expect(west.requests).toHaveLength(3);
    await eventOf(gw, 'failover');
  });

  test('when a poll was waiting there: it continues elsewhere with the time that is left', async () => {
    const { east, west, gw } = await twoRegions(never);
    const pending = request(`${gw.url}/consumers/g/instances/i/records?timeout=60000`);
    await until('the poll waits', () => east.requests.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await east.kill();
    expect((await pending).statusCode).toBe(200);
    const timeout = Number(new URL(west.requests[0]?.url ?? '', 'http://x').searchParams.get('timeout'));
    expect(timeout).toBeLessThan(60_000);
    expect(timeout).toBeGreaterThan(30_000);
  });

  test('a delete that may have been executed is deleted; a create that may have been is created', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy());
    west.handle = answerJson({ error_code: 404, message: 'The specified consumer instance was not found.' }, 404);
    expect((await request(`${gw.url}/consumers/g/instances/i`, { method: 'DELETE' })).statusCode).toBe(204);
    west.handle = answerJson({ error_code: 409, message: 'exists' }, 409);
    const created = await request(`${gw.url}/consumers/g`, {
      method: 'POST',
      body: '{"name":"i"}',
      headers: { 'content-type': 'application/vnd.kafka.v2+json' },
    });
    expect(await created.body.json()).toEqual({ instance_id: 'i', base_uri: `${gw.url}/consumers/g/instances/i` });
  });
});

test('what cannot move stays on a region that is declared down, and is answered when the region responds again', async () => {
  const { east, gw } = await twoRegions(never, { retry: { produce: 'at-most-once' } });
  let finish = (): void => {};
  east.handle = (received, response) => {
    finish = () => answerJson({ from: 'east' })(received, response);
  };
  const pending = request(`${gw.url}/topics/t`, produce);
  await until('it is in flight', () => east.requests.length === 1);
  east.readyStatus = 503;
  await until('east is down', () =>
    gw.gateway.events.recent().some((event) => event.type === 'health' && event.to === 'unhealthy'),
  );
  finish();
  expect(await (await pending).body.json()).toEqual({ from: 'east' });
});

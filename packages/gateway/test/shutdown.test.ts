/** The end of a gateway. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { regions, testConfig } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, never, produce, upstream } from './fixture.ts';

describe('the end', () => {
  test('takes no more connections, finishes what is in flight, and is bounded', async () => {
    let finish = (): void => {};
    const east = await upstream((received, response) => {
      finish = () => answerJson({ from: 'east' })(received, response);
    });
    const gw = await gateway({ regions: regions({ east: east.url }), shutdown: { graceMs: 5_000 } });
    const pending = request(`${gw.url}/topics/t`, produce);
    await until('it is in flight', () => east.requests.length === 1);
    const closed = gw.close();
    await expect(request(`${gw.url}/topics`)).rejects.toThrow();
    finish();
    const answer = await pending;
    expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
    await closed;
  });

  test('a reload that comes too late starts nothing', async () => {
    const east = await upstream();
    const gw = await gateway({ regions: regions({ east: east.url }) });
    await gw.close();
    const north = await upstream();
    gw.gateway.reload(testConfig({ regions: regions({ north: north.url }) }));
    expect(gw.gateway.events.recent().at(-1)?.type).toBe('stopping');
  });

  test('breaks off what does not finish in time', async () => {
    const east = await upstream(never);
    const gw = await gateway({ regions: regions({ east: east.url }), shutdown: { graceMs: 50 } });
    const pending = request(`${gw.url}/topics/t`, produce);
    const failed = expect(pending).rejects.toThrow();
    await until('it is in flight', () => east.requests.length === 1);
    await gw.close();
    await failed;
    await east.requests[0]?.aborted;
  });
});

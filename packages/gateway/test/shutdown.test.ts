/** The end of a gateway. */
import { Agent, request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
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

  test('in delayMs all requests are served, also over new connections, and each response closes its connection', async () => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }), shutdown: { delayMs: 600_000 } });
    const client = new Agent({ connections: 1 });
    onTestFinished(() => client.destroy());
    const send = async (): Promise<unknown[]> => {
      const { statusCode, headers, body } = await request(`${gw.url}/topics`, { dispatcher: client });
      await body.dump();
      return [statusCode, headers.connection];
    };
    expect(await send()).toEqual([200, 'keep-alive']);
    const closed = gw.close();
    // The first over the connection that was kept.
    expect(await send()).toEqual([200, 'close']);
    expect(await send()).toEqual([200, 'close']);
    for (const url of [gw.url, gw.adminUrl]) {
      const ready = await request(`${url}/ready`);
      expect(ready.statusCode).toBe(503);
      await ready.body.dump();
    }
    // A second signal ends the delay.
    void gw.gateway.close();
    await closed;
    await expect(request(`${gw.url}/topics`)).rejects.toThrow();
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

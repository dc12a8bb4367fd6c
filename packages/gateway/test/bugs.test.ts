/** Bugs of the gateway itself: what they cost, and whom. */
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../../../test/harness/gateway.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { produce, upstream } from './fixture.ts';

test.each([
  ['when a target is chosen', true],
  ['when the next one is chosen', false],
])('a bug %s is a 500 for its request alone, and reported to the operator', async (_, isFromTheStart) => {
  const faults: unknown[] = [];
  let isBroken = false;
  const random = (): number => {
    if (isBroken) throw new Error('a bug');
    return 0.5;
  };
  const east = await upstream((_request, response) => {
    isBroken = true;
    response.writeHead(503).end();
  });
  const west = await upstream(answerJson({}));
  const overrides = {
    regions: [
      { name: 'east', priority: 0, targets: [{ url: east.url }] },
      { name: 'west', priority: 1, targets: [{ url: west.url }] },
    ],
    // Probes take their times by chance, too.
    healthCheck: { intervalMs: 60_000, timeoutMs: 10_000, rise: 1 },
  };
  const gw = await startGateway(overrides, { random, onFault: (error) => faults.push(error) });
  onTestFinished(gw.close);
  isBroken = isFromTheStart;
  const answer = await request(`${gw.url}/topics/t`, produce);
  expect(answer.statusCode).toBe(500);
  expect(await answer.body.json()).toEqual({
    error_code: 500,
    message: 'The gateway failed at this request; its log says how.',
  });
  expect(faults).toEqual([new Error('a bug')]);
  expect(east.requests).toHaveLength(isFromTheStart ? 0 : 1);
  isBroken = false;
  east.handle = answerJson({});
  expect((await request(`${gw.url}/topics/t`, produce)).statusCode).toBe(200);
});

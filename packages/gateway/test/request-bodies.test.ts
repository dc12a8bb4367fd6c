/** Request bodies on their way through a gateway. */
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, produce, rawExchange, twoRegions, upstream } from './fixture.ts';

describe('request bodies', () => {
  test('a large one is streamed, and arrives whole', async () => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({ regions: regions({ east: east.url }), request: { bufferBytes: 1_000 } });
    const body = 'y'.repeat(500_000);
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    expect(east.requests[0]?.body.length).toBe(body.length);
    expect(east.requests[0]?.headers['content-length']).toBe('500000');
  });

  test('a streamed one is not sent twice', async () => {
    const { west, gw } = await twoRegions((_, response) => response.destroy(), { request: { bufferBytes: 1_000 } });
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body: 'y'.repeat(50_000) });
    expect(answer.statusCode).toBe(502);
    expect(await answer.body.json()).toMatchObject({
      error_code: 502,
      message: expect.stringMatching(/region east: .*, and the body was too large to be kept and sent twice\.$/),
    });
    expect(west.requests).toHaveLength(0);
  });

  test('a streamed one of which no target has taken a part goes to the next region', async () => {
    const { east, west, gw } = await twoRegions(answerJson({}), { request: { bufferBytes: 1_000 } });
    await east.kill();
    const body = 'y'.repeat(50_000);
    const answer = await request(`${gw.url}/topics/t`, { ...produce, body });
    expect(answer.statusCode).toBe(200);
    expect(west.requests.map((received) => received.body)).toEqual([body]);
  });

  test.each([
    ['with a length', (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`],
    [
      'in chunks',
      (body: string) => `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('one that is too large (%s) is answered with 413 and the limit', async (_, encode) => {
    const east = await upstream(answerJson({}));
    const gw = await gateway({
      regions: regions({ east: east.url }),
      request: { bufferBytes: 100, maxBodyBytes: 1_000 },
    });
    const answer = await rawExchange(
      gw.url,
      `POST /topics/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${encode('z'.repeat(2_000))}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
    expect(answer).toContain('"error_code":413,"message":"The request body is larger than 1000 bytes."');
    expect((await request(`${gw.url}/topics`)).statusCode).toBe(200);
  });
});

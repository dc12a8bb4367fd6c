/** HTTP/2 for clients: what holds over HTTP/1.1 holds over it. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { regions, type TestGateway } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import type { Upstream } from '../../../test/harness/upstream.ts';
import { cleanups, gateway, upstream } from './fixture.ts';

async function http2Gateway(): Promise<{ gw: TestGateway; east: Upstream; client: ClientHttp2Session }> {
  const east = await upstream();
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2: { isEnabled: true } },
  });
  const client = connect(gw.url);
  cleanups.push(async () => client.destroy());
  return { gw, east, client };
}

test('requests of HTTP/2 with prior knowledge and of HTTP/1.1 arrive at one port, and reach targets alike', async () => {
  const { gw, east, client } = await http2Gateway();
  const body = '{"records":[{"value":"v"}]}';
  const { status, headers, text } = await fetchHttp2(client, { ':method': 'POST', ':path': '/topics/t?x=y' }, body);
  const { statusCode } = await request(`${gw.url}/topics/t?x=y`, { method: 'POST', body });
  expect([status, statusCode, text]).toEqual([200, 200, '{}']);
  expect(headers.via).toBe('1.1 gateway');
  const [first, second] = east.requests;
  expect(first).toMatchObject({ method: 'POST', url: '/topics/t?x=y', body });
  expect(first?.headers['content-length']).toBe(String(body.length));
  expect(first?.headers.via).toMatch(/^2\.0 gateway\./);
  const { via: _, ...rest } = second?.headers ?? {};
  expect(first?.headers).toMatchObject(rest);
});

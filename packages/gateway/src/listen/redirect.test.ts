import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answersOf, raw } from '../../../../test/harness/raw.ts';
import { createRedirectServer } from './redirect.ts';

const MAX_URL_BYTES = 1_000;
const limits = {
  maxUrlBytes: MAX_URL_BYTES,
  maxHeaderBytes: 10_000,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  responseTimeoutMs: () => 60_000,
};
const standard = createRedirectServer({ httpsPort: 443, limits, entrance: undefined });
const other = createRedirectServer({ httpsPort: 8443, limits, entrance: undefined });
let port: number;
let otherPort: number;
beforeAll(async () => {
  ({ port } = await standard.listen({ host: '127.0.0.1', port: 0 }));
  ({ port: otherPort } = await other.listen({ host: '127.0.0.1', port: 0 }));
});
afterAll(() => {
  standard.close();
  other.close();
});

async function locationOf(head: string, at = port): Promise<[number | undefined, string | undefined]> {
  const [answer, ...others] = answersOf(await raw(at, `${head}connection: close\r\n\r\n`));
  expect([others, answer?.body.includes('https:')]).toEqual([[], false]);
  return [answer?.status, answer?.headers['location']];
}

describe('the same resource over HTTPS', () => {
  test.each([
    ['GET / HTTP/1.1\r\nhost: example.com\r\n', 'https://example.com/'],
    ['GET /a/b?c=d&e=%20 HTTP/1.1\r\nhost: example.com\r\n', 'https://example.com/a/b?c=d&e=%20'],
    ['GET / HTTP/1.1\r\nhost: example.com:8080\r\n', 'https://example.com/'],
    ['GET / HTTP/1.1\r\nhost: example.com:\r\n', 'https://example.com/'],
    ['GET / HTTP/1.1\r\nhost: [2001:db8::1]:80\r\n', 'https://[2001:db8::1]/'],
    ['GET / HTTP/1.1\r\nhost: [::1]\r\n', 'https://[::1]/'],
    ['GET / HTTP/1.1\r\nhost: EXAMPLE.com\r\n', 'https://EXAMPLE.com/'],
    ['DELETE /consumers/g/instances/i HTTP/1.1\r\nhost: h\r\n', 'https://h/consumers/g/instances/i'],
    // Not a URL of another host.
    ['GET //evil.example/x HTTP/1.1\r\nhost: h\r\n', 'https://h//evil.example/x'],
    ['GET /\\evil.example HTTP/1.1\r\nhost: h\r\n', 'https://h/%5Cevil.example'],
    ['GET /"<b>{^}| HTTP/1.1\r\nhost: h\r\n', 'https://h/%22%3Cb%3E%7B%5E%7D%7C'],
    ['GET /%0d%0aset-cookie:%20a HTTP/1.1\r\nhost: h\r\n', 'https://h/%0d%0aset-cookie:%20a'],
    ['OPTIONS * HTTP/1.1\r\nhost: h\r\n', 'https://h'],
    ['GET http://named.example:81/x?y HTTP/1.1\r\nhost: h\r\n', 'https://named.example/x?y'],
    ['GET https://named.example HTTP/1.1\r\nhost: h\r\n', 'https://named.example/'],
    ['GET http://named.example/x HTTP/1.0\r\n', 'https://named.example/x'],
    ['GET /x HTTP/1.0\r\nhost: h\r\n', 'https://h/x'],
  ])('%j: %s', async (head, location) => {
    expect(await locationOf(head)).toEqual([308, location]);
  });

  test.each([
    ['GET / HTTP/1.1\r\nhost: example.com:8080\r\n', 'https://example.com:8443/'],
    ['GET / HTTP/1.1\r\nhost: [::1]:8080\r\n', 'https://[::1]:8443/'],
    ['OPTIONS * HTTP/1.1\r\nhost: h\r\n', 'https://h:8443'],
  ])('at another port: %j: %s', async (head, location) => {
    expect(await locationOf(head, otherPort)).toEqual([308, location]);
  });
});

test.each([
  ['GET / HTTP/1.1\r\n', 400],
  ['GET / HTTP/1.1\r\nhost:\r\n', 400],
  ['GET / HTTP/1.0\r\n', 400],
  ['GET / HTTP/1.0\r\nhost:\r\n', 400],
  ['GET / HTTP/1.1\r\nhost: a@evil.example\r\n', 400],
  ['GET / HTTP/1.1\r\nhost: evil.example/x\r\n', 400],
  ['GET / HTTP/1.1\r\nhost: a b\r\n', 400],
  ['GET / HTTP/1.1\r\nhost: a"b\r\n', 400],
  ['GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n', 400],
  ['GET http://user@evil.example/ HTTP/1.1\r\nhost: h\r\n', 400],
  ['GET evil.example HTTP/1.1\r\nhost: h\r\n', 400],
  ['GET * HTTP/1.1\r\nhost: h\r\n', 400],
  ['GET /#x HTTP/1.1\r\nhost: h\r\n', 400],
  ['GET /\u00c3\u00bc HTTP/1.1\r\nhost: h\r\n', 400],
  ['GET /%zz HTTP/1.1\r\nhost: h\r\n', 400],
  [`GET /${'x'.repeat(MAX_URL_BYTES)} HTTP/1.1\r\nhost: h\r\n`, 414],
  ['CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n', 501],
])('no redirect, but a refusal: %j: %i', async (head, status) => {
  expect(await locationOf(head)).toEqual([status, undefined]);
});

test('a short body is dropped and the connection stays open; the rest of a long one is not waited for', async () => {
  const post = (length: number): string => `POST /topics/t HTTP/1.1\r\nhost: h\r\ncontent-length: ${length}\r\n`;
  const twice = `${post(3)}\r\nabc${post(0)}connection: close\r\n\r\n`;
  const location = { location: 'https://h/topics/t' };
  expect(answersOf(await raw(port, twice))).toMatchObject([
    { status: 308, headers: location },
    { status: 308, headers: location },
  ]);
  const [long] = answersOf(await raw(port, `${post(100_000_000)}\r\n${'x'.repeat(1_000)}`));
  expect(long).toMatchObject({ status: 308, headers: { connection: 'close' } });
});

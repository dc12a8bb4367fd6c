import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchJwks } from './jwks-fetch.ts';

/** By path. */
const RESPONSES: Record<string, RequestListener> = {
  '/jwks': (_, response) => response.end('{"keys":[]}'),
  '/moved': (_, response) => response.writeHead(302, { location: '/jwks' }).end(),
  '/failing': (_, response) => response.writeHead(503).end('overloaded: secret details'),
  '/text': (_, response) => response.end('<html>'),
  '/large': (_, response) => response.end(`{"keys":"${'x'.repeat(300_000)}"}`),
  '/endless': (_, response) => void response.write('{"keys":['),
  '/silent': () => {},
  '/good/.well-known/openid-configuration': (_, response) =>
    response.end(JSON.stringify({ issuer: `${origin}/good`, jwks_uri: `${origin}/jwks` })),
  '/slash/.well-known/openid-configuration': (_, response) =>
    response.end(JSON.stringify({ issuer: `${origin}/slash/`, jwks_uri: `${origin}/jwks` })),
  '/other/.well-known/openid-configuration': (_, response) =>
    response.end(JSON.stringify({ issuer: 'https://other.example', jwks_uri: `${origin}/jwks` })),
  '/none/.well-known/openid-configuration': (_, response) => response.end(JSON.stringify({ issuer: `${origin}/none` })),
  '/scheme/.well-known/openid-configuration': (_, response) =>
    response.end(JSON.stringify({ issuer: `${origin}/scheme`, jwks_uri: 'https://other.example/jwks' })),
  '/null/.well-known/openid-configuration': (_, response) => response.end('null'),
};

let server: Server;
let origin: string;
beforeAll(async () => {
  server = createServer((request, response) => RESPONSES[request.url ?? '']?.(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const PATIENT_MS = 30_000;

function fetched(location: { issuer?: string; jwksUrl?: string }, timeoutMs = PATIENT_MS): Promise<unknown> {
  const { issuer = 'https://id.example', jwksUrl } = location;
  return fetchJwks({ issuer, jwksUrl, caFile: undefined }, AbortSignal.timeout(timeoutMs));
}

test.each(['/good', '/slash/'])('discovery finds the keys of the issuer %s', async (path) => {
  expect(await fetched({ issuer: `${origin}${path}` })).toEqual({ keys: [] });
});

test.each([
  ['/moved', 'response 302'],
  ['/failing', 'response 503'],
  ['/text', 'the response is not JSON'],
  ['/large', 'the response is longer than 262144 bytes'],
  ['/endless', 'no whole response in time', 200],
  ['/silent', 'no whole response in time', 200],
])('%s is an error: %s', async (path, reason, timeoutMs = PATIENT_MS) => {
  await expect(fetched({ jwksUrl: `${origin}${path}` }, timeoutMs)).rejects.toThrow(`${origin}${path}: ${reason}`);
});

test.each([
  ['/other', 'is of another issuer: "https://other.example"'],
  ['/none', 'has no jwks_uri'],
  ['/scheme', 'has a jwks_uri of another scheme: https://other.example/jwks'],
  ['/null', 'is of another issuer'],
])('discovery of %s is an error: %s', async (path, reason) => {
  const url = `${origin}${path}/.well-known/openid-configuration`;
  await expect(fetched({ issuer: `${origin}${path}` })).rejects.toThrow(`${url} ${reason}`);
});

test('an issuer that does not listen is an error', async () => {
  await expect(fetched({ jwksUrl: 'http://127.0.0.1:1/jwks' })).rejects.toThrow('connection refused');
});

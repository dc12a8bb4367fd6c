/** Pages of other origins: headers through both gateways, and a page in a real browser. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { launchBrowser, openPage } from '../harness/browser.ts';
import { regions, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startUpstream } from '../harness/upstream.ts';

let bridge: TestBridge;
let regional: TestGateway;
let tier1: TestGateway;

beforeAll(async () => {
  const cors = { isEnabled: true, allowedOrigins: ['https://a.example'] };
  bridge = await TestBridge.start(inject('kafkaBootstrap'), { cors });
  regional = await startGateway({ gateway: { region: 'east' }, regions: regions({ east: bridge.url }) });
  tier1 = await startGateway({ regions: regions({ east: regional.url }) });
});
afterAll(async () => {
  await tier1.close();
  await regional.close();
  await bridge.close();
});

test.each([
  [
    'a preflight',
    'OPTIONS',
    '/topics/t',
    { origin: 'https://a.example', 'access-control-request-method': 'POST' },
    204,
  ],
  [
    'a preflight for an unknown path',
    'OPTIONS',
    '/x',
    { origin: 'https://a.example', 'access-control-request-method': 'BREW' },
    204,
  ],
  [
    'a preflight from elsewhere',
    'OPTIONS',
    '/topics',
    { origin: 'https://b.example', 'access-control-request-method': 'GET' },
    403,
  ],
  // Not the list of topics, which other tests change between two requests.
  ['a response', 'GET', '/openapi', { origin: 'https://a.example' }, 200],
  ['a response without Origin', 'GET', '/openapi', {}, 200],
  ['an error', 'GET', '/topics/nowhere', { origin: 'https://a.example' }, 404],
  ['a refusal', 'GET', '/topics', { origin: 'https://b.example' }, 403],
  ['a method that is not there', 'OPTIONS', '/topics', { origin: 'https://a.example' }, 405],
])('%s is the same through both gateways', async (_, method, path, headers, status) => {
  const ask = async (url: string) => {
    const response = await fetch(`${url}${path}`, { method, headers: headers as Record<string, string> });
    const kept = [...response.headers].filter(([name]) => /^(?:access-control-|vary|allow|content-type)/.test(name));
    return { status: response.status, headers: kept, text: await response.text() };
  };
  const direct = await ask(bridge.url);
  expect(direct.status).toBe(status);
  expect(await ask(regional.url)).toEqual(direct);
  expect(await ask(tier1.url)).toEqual(direct);
});

interface PageAnswer {
  status: number;
  text: string;
}

async function servePage(): Promise<{ server: Server; origin: string }> {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>a</title>'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a page in a browser reads the gateway’s own errors, also while its region is down; a page of another origin reads nothing', async () => {
  const [pages, others] = [await servePage(), await servePage()];
  // It responds to probes and breaks every other connection, so the gateway returns its own error.
  const broken = await startUpstream((_, response) => response.destroy());
  const options = {
    cors: { isEnabled: true, allowedOrigins: [pages.origin] },
    request: { maxBodyBytes: 100_000 },
    limits: { maxInFlightBytes: 65_536 },
    breaker: { minRequests: 1_000 },
  };
  const failing = await startGateway({ ...options, regions: regions({ east: broken.url }) });
  const down = await startGateway({ ...options, regions: regions({ east: 'http://127.0.0.1:1' }) });
  const { browser, close } = await launchBrowser();
  try {
    const ask = async (origin: string, url: string, init: object): Promise<PageAnswer | string> => {
      const { page, context } = await openPage(browser, origin);
      const answer = await page.evaluate(
        async ([target, how]) => {
          try {
            const response = await fetch(target, how);
            return { status: response.status, text: await response.text() };
          } catch (error) {
            return String(error);
          }
        },
        [url, init] as const,
      );
      await context.close();
      return answer;
    };
    // Each needs a preflight.
    const type = { 'content-type': 'application/vnd.kafka.json.v2+json' };
    const produce = { method: 'POST', headers: type, body: '{"records":[]}' };
    const cases: [string, TestGateway, object, number][] = [
      ['a region that breaks connections', failing, produce, 502],
      ['a region that is down', down, produce, 502],
      ['a budget that is used up', down, { ...produce, body: 'x'.repeat(90_000) }, 503],
      ['a body that is too large', down, { ...produce, body: 'x'.repeat(100_001) }, 413],
      [
        'headers that are too large',
        down,
        { ...produce, headers: { ...type, authorization: 'x'.repeat(17_000) } },
        431,
      ],
      [
        'headers beyond what is read',
        down,
        { ...produce, headers: { ...type, authorization: 'x'.repeat(60_000) } },
        431,
      ],
    ];
    for (const [what, { url }, init, status] of cases) {
      const answer = await ask(pages.origin, `${url}/topics/t`, init);
      expect(answer, what).toMatchObject({ status, text: expect.stringContaining(`"error_code":${status}`) });
      expect(await ask(others.origin, `${url}/topics/t`, init), what).toBe('TypeError: Failed to fetch');
    }
  } finally {
    await close();
    await failing.close();
    await down.close();
    await broken.kill();
    for (const { server } of [pages, others]) server.close();
  }
});

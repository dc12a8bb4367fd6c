import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { regions, startGateway, type TestGateway } from '../harness/gateway.ts';

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
    'a preflight of nobody knows what',
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
  ['an answer', 'GET', '/topics', { origin: 'https://a.example' }, 200],
  ['an answer to nobody in particular', 'GET', '/topics', {}, 200],
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

import type { ServerResponse } from 'node:http';
import type { ConsumerPage, System } from '@causeway/protocol/admin/model.ts';
import type { SessionPage, SessionRow } from '@causeway/protocol/sessions.ts';
import { afterEach, expect, test, vi } from 'vitest';
import { ask } from '../../../../test/harness/admin.ts';
import { startGateway, type TestGateway } from '../../../../test/harness/gateway.ts';
import { Stopwatch } from '../../../../test/harness/stopwatch.ts';
import { PROOF } from '../../../../test/harness/trust.ts';
import { until } from '../../../../test/harness/until.ts';
import { startUpstream, type Upstream, type UpstreamRequest } from '../../../../test/harness/upstream.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const thing of open.splice(0).reverse()) await thing.close();
});

function row(home: string, instance: string): SessionRow {
  return {
    group: 'g',
    instance,
    principal: 'alice',
    home,
    state: 'subscribed',
    since: '2026-01-01T00:00:00.000Z',
    adoptions: 0,
    lastPollAt: null,
    lag: 5,
  };
}

/** Lists these instances like a bridge, up to `limit`. */
async function bridge(name: string, instances: string[]): Promise<Upstream> {
  const upstream = await startUpstream(({ url }: UpstreamRequest, response: ServerResponse) => {
    const limit = Number(new URL(url, 'http://bridge').searchParams.get('limit'));
    const page: SessionPage = {
      total: instances.length + 1,
      matching: instances.length,
      consumers: instances.slice(0, limit).map((instance) => row(name, instance)),
    };
    // The bridge in west is of a version that knows no principals.
    const isOlder = name.startsWith('west');
    response.end(JSON.stringify(page, (key, value) => (isOlder && key === 'principal' ? undefined : value)));
  });
  upstream.bridge = name;
  open.push({ close: () => upstream.kill() });
  return upstream;
}

/** Waits until the gateway knows that this many of its targets are bridges. */
async function gateway(bridgeCount: number, overrides: Record<string, unknown>): Promise<TestGateway> {
  const started = await startGateway(overrides);
  open.push(started);
  await until('its bridges have reported their names', async () => {
    const { regions } = (await ask(`${started.adminUrl}/api/topology`)).body as System;
    const targets = regions.flatMap((region) => region.targets);
    return targets.filter(({ kind }) => kind === 'bridge').length === bridgeCount;
  });
  return started;
}

async function consumers({ adminUrl }: TestGateway, query = ''): Promise<ConsumerPage> {
  return (await ask(`${adminUrl}/api/consumers?${query}`)).body as ConsumerPage;
}

test('the consumers of all regions are one page, from bridges and through regional gateways', async () => {
  const east = await bridge('east/bridge', ['a', 'c', 'e']);
  const west = await bridge('west/bridge', ['b', 'd']);
  const inner = await gateway(2, {
    gateway: { name: 'inner', region: 'east' },
    // To the tier-1 gateway it reports its own region alone.
    regions: [
      { name: 'east', targets: [{ url: east.url }] },
      { name: 'west', priority: 1, targets: [{ url: west.url }] },
    ],
  });
  const tier1 = await gateway(1, {
    regions: [
      { name: 'east', targets: [{ url: inner.url, adminUrl: inner.adminUrl }] },
      { name: 'west', targets: [{ url: west.url }] },
    ],
  });
  const page = await consumers(tier1, 'filter=G/&limit=3');
  expect(page).toMatchObject({ total: 7, matching: 5, incomplete: [] });
  expect(page.consumers.map(({ home, instance, principal }) => `${home} ${instance} ${principal}`)).toEqual([
    'east/bridge a alice',
    'west/bridge b null',
    'east/bridge c alice',
  ]);
  expect((await consumers(tier1, 'limit=3&offset=2')).consumers.map(({ instance }) => instance)).toEqual([
    'c',
    'd',
    'e',
  ]);
  expect((await consumers(tier1, 'region=west')).consumers.map(({ instance }) => instance)).toEqual(['b', 'd']);
  expect((await consumers(inner)).matching).toBe(5);
  expect(east.requests[0]).toMatchObject({
    url: '/causeway-sessions?filter=G%2F&limit=3',
    headers: { 'causeway-operator': 'east/inner', ...PROOF },
  });
  // Bridges do not know the token.
  expect(east.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
});

test('a second request within a second asks no bridge', async () => {
  const east = await bridge('east/bridge', ['a']);
  const gw = await gateway(1, { regions: [{ name: 'east', targets: [{ url: east.url }] }] });
  // With a stopped clock the second never ends, however slow the machine is.
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  await Promise.all([consumers(gw), consumers(gw)]);
  await consumers(gw);
  expect(east.requests).toHaveLength(1);
  await consumers(gw, 'filter=x');
  expect(east.requests).toHaveLength(2);
});

test('regions that do not respond are named, in bounded time', async () => {
  const east = await bridge('east/bridge', ['a']);
  const west = await bridge('west/bridge', ['b']);
  const gw = await gateway(2, {
    regions: [
      { name: 'east', targets: [{ url: east.url }] },
      { name: 'west', targets: [{ url: west.url }] },
      { name: 'north', targets: [{ url: 'http://127.0.0.1:1' }] },
      { name: 'south', targets: [{ url: 'http://127.0.0.1:2', adminUrl: 'http://127.0.0.1:3' }] },
    ],
  });
  east.handle = () => {};
  await west.kill();
  const watch = new Stopwatch();
  const page = await consumers(gw);
  // East never responds.
  expect(watch.stop()).toBeLessThan(20_000);
  expect(page.consumers).toEqual([]);
  expect(page.incomplete.toSorted((a, b) => a.region.localeCompare(b.region))).toEqual([
    { region: 'east', reason: 'east/bridge: no response in time' },
    { region: 'north', reason: 'no adminUrl is configured' },
    { region: 'south', reason: 'its gateway: connection refused' },
    { region: 'west', reason: 'west/bridge: connection refused' },
  ]);
});

test('an invalid query is refused', async () => {
  const east = await bridge('east/bridge', ['a']);
  const gw = await gateway(1, { regions: [{ name: 'east', targets: [{ url: east.url }] }] });
  for (const query of ['limit=x', 'limit=-1', 'offset=1000000', 'scope=some']) {
    expect((await ask(`${gw.adminUrl}/api/consumers?${query}`)).status, query).toBe(400);
  }
});

/** What an operator sees and does while a region dies: the whole system as processes, through the admin API. */
import { execFile } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { ConsumerPage, RecordedEvent, Region } from '@causeway/protocol/admin/model.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type AdminAnswer, type AskOptions, ask, watchLive } from '../harness/admin.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { until } from '../harness/until.ts';

const STATUS = fileURLToPath(new URL('../../packages/status/src/main.ts', import.meta.url));
const GROUP = 'operators';
const NAMES = ['one', 'two', 'three', 'four', 'five', 'six'];

let system: TestStack;
beforeAll(async () => {
  system = await startTestStack(inject('kafkaBootstrap'));
  await system.untilWell();
});
afterAll(() => system?.close());

function admin(path: string, options: AskOptions = {}): Promise<AdminAnswer> {
  return ask(`${system.admin}${path}`, { token: system.stack.adminToken, ...options });
}

async function consumers(query = `filter=${GROUP}/`): Promise<ConsumerPage> {
  return (await admin(`/api/consumers?${query}`)).body;
}

function status(...args: string[]): Promise<{ code: number | string; stdout: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] };
    execFile(process.execPath, [STATUS, '--url', system.admin, ...args], { env }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, stdout }),
    );
  });
}

const V2 = { 'content-type': 'application/vnd.kafka.v2+json' };

async function poll(name: string): Promise<number> {
  const url = `${system.url}/consumers/${GROUP}/instances/${name}/records?timeout=50`;
  return (await ask(url, { headers: { accept: 'application/vnd.kafka.json.v2+json' } })).status;
}

async function pollAll(): Promise<void> {
  expect(await Promise.all(NAMES.map(poll))).toEqual(NAMES.map(() => 200));
}

test('a dead region: its consumers have new homes, and the topology and the status show its work as redirected', async () => {
  for (const name of NAMES) {
    const post = (path: string, body: object) =>
      ask(`${system.url}${path}`, { method: 'POST', body: JSON.stringify(body), headers: V2 });
    expect((await post(`/consumers/${GROUP}`, { name, format: 'json' })).status).toBe(200);
    const subscription = await post(`/consumers/${GROUP}/instances/${name}/subscription`, { topics: ['greetings'] });
    expect(subscription.status).toBe(204);
  }
  await pollAll();
  // Each bridge has a second to respond.
  await until('every bridge has responded', async () => (await consumers()).incomplete.length === 0);
  const before = await consumers();
  expect(before).toMatchObject({ matching: NAMES.length, incomplete: [] });
  const onEast = before.consumers.filter(({ home }) => home === 'east/bridge');
  expect(onEast.length).toBeGreaterThan(0);
  expect(onEast[0]).toMatchObject({ state: 'subscribed', adoptions: 0, lastPollAt: expect.any(String) });
  expect(await system.topology()).toMatchObject({
    kafka: { state: 'up' },
    regions: [{ targets: [{ behind: [{ name: 'east/bridge', isAvailable: true }] }] }, {}],
  });
  expect((await status()).code).toBe(0);

  const live = await watchLive(system.admin, { authorization: `Bearer ${system.stack.adminToken}` });
  await system.stack.killRegion('east');
  await until('the live stream shows it', () => live.systems.at(-1)?.regions[0]?.state === 'down');
  await pollAll();
  // Adoptions of one moment share an event.
  const adoptions = () => live.events.filter((event) => event.type === 'adoption');
  const adoptedCount = (): number => adoptions().reduce((sum, { consumerCount }) => sum + consumerCount, 0);
  await until('every adoption is reported', () => adoptedCount() >= onEast.length);
  expect(adoptedCount()).toBe(onEast.length);
  expect(adoptions()[0]).toMatchObject({ from: 'east/bridge', to: 'west/bridge' });
  let after = before;
  await until('all live in the west', async () => {
    await pollAll();
    const page = await consumers();
    after = page;
    return (
      page.incomplete.length === 1 &&
      page.consumers.length === NAMES.length &&
      page.consumers.every(({ home }) => home === 'west/bridge')
    );
  });
  expect(after.incomplete).toMatchObject([{ region: 'east', reason: 'its gateway: connection refused' }]);
  const adopted = after.consumers.find(({ instance }) => instance === onEast[0]?.instance);
  expect(adopted).toMatchObject({ adoptions: 1 });
  await until('redirected work is shown', () => live.systems.at(-1)?.redirects.length === 1);
  expect(live.systems.at(-1)).toMatchObject({ state: 'degraded', redirects: [{ from: 'east', to: 'west' }] });
  live.close();
  const shown = await status();
  expect(shown.code).toBe(1);
  expect(shown.stdout).toMatch(/East is down since .* its traffic goes to west; consumers: 6 on west/);

  await system.stack.restoreRegion('east');
  await system.untilWell();
  expect((await status('--json')).code).toBe(0);
});

test('the token allows to drain and undrain a region, at each gateway', async () => {
  expect((await admin('/api/regions/west/drain', { method: 'POST', token: undefined })).status).toBe(401);
  const drained = await admin('/api/regions/west/drain', { method: 'POST' });
  expect(drained).toMatchObject({ status: 200, body: { isDrained: true, weight: 0 } satisfies Partial<Region> });
  await until('its consumers have moved', async () => {
    await pollAll();
    return (await consumers(`filter=${GROUP}/&region=west`)).matching === 0;
  });
  expect((await status()).stdout).toContain('west is drained by an operator');
  expect((await admin('/api/regions/west/undrain', { method: 'POST' })).status).toBe(200);
  // Through tier-1 to the region's own gateway, with tier-1's token.
  expect((await admin('/api/regions/east/topology')).body.gateway).toMatchObject({ region: 'east' });
  const { events } = (await admin('/api/events', { headers: { accept: 'application/json' } })).body as {
    events: RecordedEvent[];
  };
  expect(events.filter(({ type }) => type === 'drain')).toHaveLength(2);
  expect(events.some(({ gateway }) => gateway === 'east/gateway')).toBe(true);
});

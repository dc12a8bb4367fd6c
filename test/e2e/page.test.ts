/** The topology page in a real Chromium, over the real system: a region dies, and an operator acts from the page. */
import { mkdirSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Value } from '@causeway/config/schema.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { MachinePace } from '@causeway/lab/machine-pace.ts';
import type { Locator, Page } from 'playwright-core';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import {
  launchBrowser,
  longestTaskMs,
  openPage,
  percentile,
  type TestBrowser,
  updateTimes,
  type WatchedPage,
} from '../harness/browser.ts';
import { PageTraffic } from '../harness/page-traffic.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { until } from '../harness/until.ts';

const { healthCheck } = Value.Default(GatewayConfig, {}) as GatewayConfig;
/** The time in which a gateway with the default config declares a target down. */
const DETECTION_MS = healthCheck.intervalMs + healthCheck.fall * healthCheck.timeoutMs;
/** Added to it, on an idle machine. */
const SHOWN_AFTER_MS = 1_000;

const pace = new MachinePace();
afterAll(() => pace.close());
const shownWithinMs = (): number => pace.boundMs(DETECTION_MS, SHOWN_AFTER_MS);

/** `CAUSEWAY_SCREENSHOTS=1` writes those of the README, after traffic long enough for curves. */
const SCREENSHOTS = fileURLToPath(new URL('../../docs/screenshots', import.meta.url));
const MARGIN_PX = 16;
const takesScreenshots = process.env['CAUSEWAY_SCREENSHOTS'] === '1';
const TIMEOUT_MS = takesScreenshots ? 240_000 : 180_000;

let chromium: TestBrowser;
let system: TestStack;
let traffic: PageTraffic;
beforeAll(async () => {
  [chromium, system] = await Promise.all([launchBrowser(), startTestStack(inject('kafkaBootstrap'))]);
  await system.untilWell();
  traffic = new PageTraffic(system.url, 40);
  await traffic.start();
});
afterAll(async () => {
  await traffic?.close();
  await Promise.all([chromium?.close(), system?.close()]);
});

let opened: WatchedPage[] = [];
async function open(options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage> {
  const watched = await openPage(chromium.browser, `${system.admin}/`, options);
  opened.push(watched);
  await watched.page.getByTestId('phase').getByText('live', { exact: true }).waitFor();
  return watched;
}
afterEach(async () => {
  await Promise.all(opened.map(({ context }) => context.close()));
  opened = [];
  await system.stack.restoreRegion('east');
  await system.untilWell();
});

const regionRow = (page: Page, name: string): Locator => page.locator(`[data-region-row="${name}"]`);
/** The browser logs every failed request; that is not a fault of the page. */
const isOfThePage = (complaint: string): boolean => !complaint.startsWith('Failed to load resource');

/** The homes in the table, which has room for all consumers of this traffic. */
async function homes(page: Page): Promise<string[]> {
  const texts = await page.locator('.consumer-home').allTextContents();
  // The tag of a consumer that moved recently follows its home.
  return texts.map((text) => text.replace(/moved$/, ''));
}

async function screenshot(name: string): Promise<void> {
  if (!takesScreenshots) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page } = await open({ colorScheme, viewport: { width, height: 900 } });
      await page.locator('.consumer-home').first().waitFor();
      await page.locator('.timeline li').first().waitFor();
      const path = `${SCREENSHOTS}/${name}-${colorScheme}-${width}.png`;
      // On a phone down to the graph; the rest is long.
      const graph = await page.locator('.graph-panel').boundingBox();
      const clip = { x: 0, y: 0, width, height: (graph?.y ?? 0) + (graph?.height ?? 0) + MARGIN_PX };
      await page.screenshot({ path, fullPage: true, ...(width === 390 ? { clip } : {}) });
    }
  }
}

test('a killed region is shown down with the reason, its traffic and consumers in the other one; and up again', {
  timeout: TIMEOUT_MS,
}, async () => {
  const { page, complaints } = await open();
  await regionRow(page, 'east').locator('.badge-up').waitFor();
  await until('consumers live in both regions', async () => new Set(await homes(page)).size === 2);
  await until('the page knows all consumers', async () => (await homes(page)).length === traffic.consumerCount);
  await until('the edges to Kafka have figures', async () => {
    const rows = await page.locator('.graph-table tr').allTextContents();
    const toKafka = rows.filter((row) => /^\w+ BridgeKafka[\d.]+ req\/s, \S+ err\/s, p99 ≤ \d/.test(row));
    return toKafka.length === 2;
  });
  if (takesScreenshots) await page.waitForTimeout(75_000);
  await screenshot('healthy');

  const killedAtMs = performance.now();
  const leftMs = (): number => Math.max(1, shownWithinMs() - (performance.now() - killedAtMs));
  await system.stack.killRegion('east');
  await regionRow(page, 'east').locator('.badge-down').waitFor({ timeout: leftMs() });
  await until('the consumers’ new homes', async () => (await homes(page)).every((home) => home === 'west/bridge'), {
    timeoutMs: leftMs(),
  });
  expect(await regionRow(page, 'east').locator('.reason').textContent()).toMatch(/refused|reset|closed|timed out/);
  expect(await page.getByTestId('summary').textContent()).toMatch(/east is down/i);
  await page.locator('[data-edge="redirect east west"]').waitFor({ state: 'attached', timeout: leftMs() });
  expect(performance.now() - killedAtMs).toBeLessThan(shownWithinMs());
  await page.locator('.timeline').getByText('east is down').first().waitFor();
  await page
    .locator('.timeline')
    .getByText(/moved from east\/bridge to west\/bridge/)
    .first()
    .waitFor();
  const { page: late } = await open();
  await late.locator('[data-card^="east"]', { hasText: 'unknown for' }).getByText('Bridge', { exact: true }).waitFor();
  if (takesScreenshots) await page.waitForTimeout(12_000);
  await screenshot('failed-over');

  await system.stack.restoreRegion('east');
  await regionRow(page, 'east').locator('.badge-up').waitFor();
  await page.getByTestId('summary').getByText('Healthy: ').waitFor();
  await until('no redirect is left', async () => (await page.locator('.edge-redirect').count()) === 0, {
    timeoutMs: 60_000,
  });
  expect(complaints).toEqual([]);
});

test('the page drains, undrains and changes a weight; with a wrong token nothing changes', async () => {
  const { page, complaints } = await open();
  const token = page.getByRole('textbox', { name: 'Admin token' });
  await page.getByRole('button', { name: 'Drain east' }).click();
  await token.fill('not-the-token');
  await page.getByRole('dialog').getByRole('button', { name: 'Drain east' }).click();
  await page.getByRole('alert').getByText('The gateway refused this token.').waitFor();
  expect((await system.topology()).regions.map(({ isDrained }) => isDrained)).toEqual([false, false]);
  await token.fill(system.stack.adminToken);
  await page.getByRole('dialog').getByRole('button', { name: 'Drain east' }).click();
  await regionRow(page, 'east')
    .getByText(/^drained/)
    .first()
    .waitFor();
  await page.getByText('east is drained. The next reload').waitFor();
  await until('the consumers left', async () => (await homes(page)).every((home) => home === 'west/bridge'));
  await page.getByRole('button', { name: 'Undrain east' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Undrain east' }).click();
  await regionRow(page, 'east').locator('.badge-up').waitFor();
  await page.getByRole('button', { name: 'Change the weight of east' }).click();
  await page.getByLabel('Weight, 0 to 1000').fill('10');
  await page.getByRole('button', { name: 'Set weight' }).click();
  await regionRow(page, 'east').getByText('50 in the file, set by an operator').waitFor();
  // The next reload restores the YAML's value.
  system.edit('tier1.yaml', 'weight: 50', 'weight: 60');
  await regionRow(page, 'east').getByText('60', { exact: true }).waitFor();
  expect(await regionRow(page, 'east').getByText('set by an operator').count()).toBe(0);
  system.edit('tier1.yaml', 'weight: 60', 'weight: 50');
  expect(complaints.filter(isOfThePage)).toEqual([]);
});

test('a refused configuration change is shown with its line and reason', async () => {
  const { page } = await open();
  system.edit('tier1.yaml', 'weight: 50', 'weight: fifty');
  await page
    .locator('[data-banner="config"]')
    .getByText(/tier1\.yaml/)
    .waitFor();
  await page.locator('[data-event="reloadRefused"]').first().waitFor();
  system.edit('tier1.yaml', 'weight: fifty', 'weight: 50');
  await page.locator('[data-banner="config"]').waitFor({ state: 'detached' });
});

test('the page reconnects after a restart of the gateway', async () => {
  const { page, complaints } = await open();
  await system.stack.tier1.kill();
  await page.getByText('Connection to the gateway lost').waitFor();
  await system.stack.tier1.start();
  await page.getByTestId('phase').getByText('live', { exact: true }).waitFor();
  await page.locator('.timeline').getByText('Gateway started').nth(1).waitFor();
  expect(await page.getByText('Connection to the gateway lost').count()).toBe(0);
  expect(complaints.filter(isOfThePage)).toEqual([]);
});

/** `CAUSEWAY_CROWD=10000` for the full form: to create them takes most of its time. */
const CROWD = Number(process.env['CAUSEWAY_CROWD'] ?? 3_000);
const THOUSANDS = Math.floor(CROWD / 1_000);
const EVENTS_PER_SECOND = 100;
/** The time that an update of the page may take. */
const UPDATE_MS = 100;

test('thousands of consumers and 100 events a second: an update takes less than 100 ms', {
  timeout: 400_000,
}, async () => {
  await createConsumers(CROWD);
  const { page, complaints } = await open();
  await page
    .getByTestId('consumer-count')
    .getByText(new RegExp(`of ${THOUSANDS},\\d{3}$`))
    .waitFor({ timeout: 120_000 });
  await page.locator('.series-legend').waitFor();
  // Earlier measurements belong to the page's opening, not to updates.
  await page.evaluate('window.__causewayUpdateMs.recentMs.length = 0');
  const workMs = await longestTaskMs(page, async () => {
    const flood = floodOfEvents();
    await page.getByRole('searchbox').fill('crowd-07');
    await page
      .getByTestId('consumer-count')
      .getByText(new RegExp(`^1 to \\d+ of \\d+ of ${THOUSANDS},`))
      .waitFor();
    await until('six hundred events', () => flood.count() >= 600, { timeoutMs: 120_000 });
    // On a slow machine an update takes the events of a longer time.
    const updateCount = async (): Promise<number> => (await updateTimes(page)).recentMs.length;
    await until('more than twenty updates', async () => (await updateCount()) > 20, { timeoutMs: 120_000 });
    await flood.stop();
  });
  expect(workMs).toBeLessThan(UPDATE_MS * pace.processorSlowness);
  // In wall-clock time, on a machine with ten busy processes beside the browser: half of the updates may be delayed.
  const { recentMs } = await updateTimes(page);
  expect(percentile(recentMs, 0.5)).toBeLessThan(pace.boundMs(0, UPDATE_MS));
  expect(complaints).toEqual([]);
});

async function createConsumers(count: number): Promise<void> {
  const agent = new Agent({ connections: 32 });
  const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const path = `/consumers/crowd-${String(index % 100).padStart(2, '0')}`;
      const body = JSON.stringify({ name: `c-${index}`, format: 'json' });
      const answer = await agent.request({ origin: system.url, path, method: 'POST', headers, body });
      expect([answer.statusCode, await answer.body.text()]).toMatchObject([200, expect.any(String)]);
    }
  };
  await Promise.all(Array.from({ length: 32 }, work));
  await agent.close();
}

/** Each change of a weight is an event. */
function floodOfEvents(): { count: () => number; stop: () => Promise<void> } {
  let sent = 0;
  let done = 0;
  const pending = new Set<Promise<void>>();
  const change = async (weight: number): Promise<void> => {
    const headers = { authorization: `Bearer ${system.stack.adminToken}`, 'content-type': 'application/json' };
    const url = `${system.admin}/api/regions/east/weight`;
    const { body } = await request(url, { method: 'PUT', headers, body: JSON.stringify({ weight }) });
    await body.dump();
    done += 1;
  };
  const timer = setInterval(() => {
    sent += 1;
    const one = change(40 + (sent % 20)).finally(() => pending.delete(one));
    pending.add(one);
  }, 1_000 / EVENTS_PER_SECOND);
  return {
    count: () => done,
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
}

/** What a page of another origin can do with an admin port that its operator can reach: nothing. In a real Chromium. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, systemOf } from '../harness/admin.ts';
import { launchBrowser, openPage, type TestBrowser } from '../harness/browser.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../harness/gateway.ts';
import { until } from '../harness/until.ts';
import { startUpstream, type Upstream } from '../harness/upstream.ts';

let chromium: TestBrowser;
let upstreams: Upstream[] = [];
let gw: TestGateway;
let evil: Server;
beforeAll(async () => {
  [chromium, ...upstreams] = await Promise.all([launchBrowser(), startUpstream(), startUpstream()]);
  const [east, west] = upstreams.map(({ url }) => url);
  gw = await startGateway({ regions: regions({ east: String(east), west: String(west) }) });
  evil = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>Free icons</title><body></body>');
  }).listen(0, '127.0.0.1');
  await until('the other server listens', () => evil.listening);
});
afterAll(async () => {
  await Promise.all([chromium?.close(), gw?.close()]);
  evil?.close();
  await Promise.all(upstreams.map((upstream) => upstream.kill()));
});

/** How many requests of other origins the admin port has refused. */
async function refusedCount(): Promise<number> {
  const { text } = await ask(`${gw.adminUrl}/metrics`);
  return Number(/causeway_admin_refused_requests_total\{reason="cross_site"\} (\d+)/.exec(text)?.[1]);
}

/** Runs code of the other page. A name that resolves to loopback makes it another site, not only another port. */
async function onForeignPage(host: string, run: (page: Page) => Promise<void>): Promise<void> {
  const { page, context } = await openPage(chromium.browser, `http://${host}:${(evil.address() as AddressInfo).port}/`);
  try {
    await run(page);
  } finally {
    await context.close();
  }
}

/** What the page can try, each with its expected result. `ADMIN` is the admin port. */
const ATTEMPTS: Readonly<Record<string, { code: string; result: string }>> = {
  'read the topology': {
    code: `fetch('ADMIN/api/topology').then((answer) => answer.text())`,
    result: 'TypeError',
  },
  'read it without CORS': {
    code: `fetch('ADMIN/api/topology', { mode: 'no-cors' }).then((answer) => answer.text() || answer.type)`,
    result: '',
  },
  'drain a region with a simple request': {
    code: `fetch('ADMIN/api/regions/east/drain', { method: 'POST', mode: 'no-cors' }).then((answer) => answer.type)`,
    result: 'opaque',
  },
  'drain a region with a token that it knows': {
    code: `fetch('ADMIN/api/regions/east/drain', { method: 'POST', headers: { authorization: 'Bearer TOKEN' } })`,
    result: 'TypeError',
  },
  'follow the events': {
    code: `new Promise((resolve) => {
      const source = new EventSource('ADMIN/api/events');
      source.onopen = () => resolve('open');
      source.onerror = () => resolve(source.readyState === EventSource.CLOSED ? 'closed' : 'retrying');
    })`,
    result: 'closed',
  },
  'open a socket': {
    code: `new Promise((resolve) => {
      const socket = new WebSocket('ADMIN/api/live'.replace('http', 'ws'));
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('failed');
    })`,
    result: 'failed',
  },
  'load a script': {
    code: `new Promise((resolve) => {
      const script = document.createElement('script');
      script.src = 'ADMIN/page/format.ts';
      script.onload = () => resolve('loaded');
      script.onerror = () => resolve('failed');
      document.body.append(script);
    })`,
    result: 'failed',
  },
};

test.each(['127.0.0.1', 'localhost'])('a page at %s can neither read nor change', async (host) => {
  await onForeignPage(host, async (page) => {
    for (const [attempt, { code, result }] of Object.entries(ATTEMPTS)) {
      const before = await refusedCount();
      const script = code.replaceAll('ADMIN', gw.adminUrl).replaceAll('TOKEN', TEST_TOKEN);
      const seen = await page.evaluate(`Promise.resolve(${script}).then(String, (error) => error.name)`);
      expect([attempt, seen]).toEqual([attempt, result]);
      // The port refused it; the browser alone would only have hidden the response.
      await until(`the port refused: ${attempt}`, async () => (await refusedCount()) > before);
    }
  });
  expect((await systemOf(gw.adminUrl)).regions.map(({ isDrained }) => isDrained)).toEqual([false, false]);
});

test.each(['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'])(
  'a form of type %s changes nothing',
  async (type) => {
    await onForeignPage('localhost', async (page) => {
      const before = await refusedCount();
      const sent = page.waitForResponse(`${gw.adminUrl}/api/regions/east/drain`);
      await page.evaluate(`
        const form = document.createElement('form');
        Object.assign(form, { method: 'post', enctype: '${type}', action: '${gw.adminUrl}/api/regions/east/drain' });
        document.body.append(form);
        form.submit();
      `);
      expect((await sent).status()).toBe(403);
      expect(await refusedCount()).toBe(before + 1);
    });
    expect((await systemOf(gw.adminUrl)).regions[0]?.isDrained).toBe(false);
  },
);

test('a frame shows nothing, and a link opens the page', async () => {
  await onForeignPage('localhost', async (page) => {
    const framed = page.waitForResponse(`${gw.adminUrl}/`);
    await page.evaluate(`
      const frame = document.createElement('iframe');
      frame.src = '${gw.adminUrl}/';
      document.body.append(frame);
    `);
    expect((await framed).status()).toBe(403);
    await page.evaluate(`
      const link = document.createElement('a');
      Object.assign(link, { href: '${gw.adminUrl}/', textContent: 'dashboard' });
      document.body.append(link);
    `);
    await page.getByText('dashboard').click();
    await page.getByTestId('phase').getByText('live', { exact: true }).waitFor();
  });
});

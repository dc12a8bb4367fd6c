/** The topology page in a real Chromium, over an admin port that says what each test needs; see test/e2e for the real system. */

import { MachinePace } from '@causeway/lab/machine-pace.ts';
import type { RecordedEvent } from '@causeway/protocol/admin/model.ts';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { AdminFixture, fixtureState } from '../harness/admin-fixture.ts';
import {
  accessibilityViolations,
  launchBrowser,
  longestTaskMs,
  openPage,
  percentile,
  type TestBrowser,
  updateTimes,
} from '../harness/browser.ts';
import { until } from '../harness/until.ts';

const pace = new MachinePace();
afterAll(() => pace.close());

let chromium: TestBrowser;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  chromium = await launchBrowser();
});
afterAll(() => chromium?.close());
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Closed after the test. */
function kept<One extends { close(): Promise<void> }>(one: One): One {
  open.push(one);
  return one;
}

async function openOver(fixture: AdminFixture, options: Parameters<typeof openPage>[2] = {}) {
  const opened = await openPage(chromium.browser, fixture.url, options);
  kept(opened.context);
  return opened;
}

function eventOf(id: number): RecordedEvent {
  return { id, at: new Date().toISOString(), type: 'weight', region: 'east', from: id, to: id + 1 };
}

/** A browser says so itself of every request that fails; that is no complaint about the page. */
const isOfThePage = (complaint: string): boolean => !complaint.startsWith('Failed to load resource');

test.each([
  ['light', 1280],
  ['dark', 1280],
  ['light', 390],
  ['dark', 390],
] as const)(
  'no accessibility violation and no complaint of the console, %s and %i pixels wide',
  async (colorScheme, width) => {
    const state = fixtureState(['east', 'west']);
    breakEast(state.system);
    breakCertificates(state.system);
    breakName(state.system);
    const fixture = kept(await new AdminFixture(state).start());
    for (let id = 1; id < 30; id += 1) fixture.emit(eventOf(id));
    const { page, complaints } = await openOver(fixture, { colorScheme, viewport: { width, height: 844 } });
    await page.getByTestId('consumer-count').waitFor();
    await page.locator('.timeline li').nth(5).waitFor();
    await page.locator('[data-banner="certificate listener admin"]').waitFor();
    await page.locator('[data-banner="certificate upstream.tls"]').waitFor();
    await page
      .getByText(/DNS name bridge-headless.* does not exist \(NXDOMAIN\) since .* 3 of its addresses/)
      .waitFor();
    await page.getByText('DNS: bridge-headless.kafka-bridge.svc, 3 targets').waitFor();
    await page.getByText('Show as a table').click();
    expect(await accessibilityViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Drain west' }).click();
    expect(await accessibilityViolations(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true);
    expect(complaints).toEqual([]);
  },
);

function breakEast(system: ReturnType<typeof fixtureState>['system']): void {
  const [east] = system.regions;
  const [target] = east?.targets ?? [];
  if (east === undefined || target === undefined) throw new Error('There is no east');
  const at = new Date(Date.now() - 12_000).toISOString();
  Object.assign(east, { state: 'down', since: at, reason: 'connection refused, 2 in a row', shareRatio: 0 });
  Object.assign(target, {
    isAvailable: false,
    inFlight: 0,
    rates: { requestsPerSecond: 0, errorsPerSecond: 0, p50Ms: null, p99Ms: null },
    health: { status: 'unhealthy', since: at, reason: 'connection refused, 2 in a row' },
    behindError: 'connection refused',
    behindAt: at,
  });
  Object.assign(system, {
    state: 'degraded',
    summary: 'Region east is down (connection refused); west serves its work and its 20 consumers.',
    redirects: [{ from: 'east', to: 'west', requestsPerSecond: 42 }],
  });
}

/** A name by which the targets of west were found, and that DNS does not have any more. */
function breakName(system: ReturnType<typeof fixtureState>['system']): void {
  const [, west] = system.regions;
  const problem = 'does not exist (NXDOMAIN)';
  west?.dnsNames.push({ name: 'bridge-headless.kafka-bridge.svc', addressCount: 3, problem, since: system.at });
}

/** One that was refused, one that expires soon, and an expired one toward the targets. */
function breakCertificates(system: ReturnType<typeof fixtureState>['system']): void {
  const { clients, admin } = system;
  const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const names = ['api.causeway.example', '*.kafka.example', '10.0.0.7'];
  const problem = '/etc/causeway/tls.crt has no certificate in PEM format';
  const secure = { url: 'https://10.0.0.7:8443', protocols: ['h2', 'http/1.1'] as ('h2' | 'http/1.1')[] };
  const tls = { notAfter: inMs(86_400_000 * 60), expiresSoon: false, names, problem: null };
  const [plain] = clients.listeners;
  clients.listeners = [
    { name: 'public', connectionCount: 24, tls, ...secure },
    { name: 'partners', connectionCount: 0, tls: { ...tls, problem }, ...secure },
    ...(plain === undefined ? [] : [plain]),
  ];
  admin.tls = { ...tls, notAfter: inMs(7_200_000), expiresSoon: true };
  system.upstreamTls = { notAfter: inMs(-60_000), expiresSoon: true, problem: 'upstream.tls.certFile: expired' };
}

/** What an update of the page may take. */
const UPDATE_MS = 100;

test('10,000 consumers and 100 events a second: each update takes less than 100 ms', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west'], 10_000)).start());
  const { page, complaints } = await openOver(fixture);
  await page.getByTestId('consumer-count').getByText('1 to 50 of 10,000').waitFor();
  // What came before was the page's opening, not an update.
  await page.evaluate('window.__causewayUpdateMs.recentMs.length = 0');
  const workMs = await longestTaskMs(page, async () => {
    let id = 0;
    const flood = setInterval(() => {
      id += 1;
      fixture.emit(eventOf(id));
    }, 10);
    try {
      await until('two hundred events were sent', () => id >= 200);
      await page.getByRole('searchbox').fill('consumer-0999');
      await page.getByTestId('consumer-count').getByText('1 to 10 of 10').waitFor();
      await until('five hundred events were sent', () => id >= 500);
    } finally {
      clearInterval(flood);
    }
  });
  expect(workMs).toBeLessThan(UPDATE_MS * pace.processorSlowness);
  // By the clock, one in twenty may have been put off by what else the machine does.
  const { recentMs } = await updateTimes(page);
  expect(recentMs.length).toBeGreaterThan(20);
  expect(percentile(recentMs, 0.95)).toBeLessThan(pace.boundMs(0, UPDATE_MS));
  expect(complaints).toEqual([]);
});

test('the page reports a lost gateway, and reconnects when it returns', async () => {
  const state = fixtureState(['east', 'west']);
  const first = kept(await new AdminFixture(state).start());
  const { page, complaints } = await openOver(first);
  await page.getByTestId('phase').getByText('live', { exact: true }).waitFor();
  await first.close();
  await page.getByText('Connection to the gateway lost').waitFor();
  expect(await page.getByTestId('phase').textContent()).toBe('not connected');
  expect(await page.title()).toBe('Not connected: Causeway');
  state.system.gateway.startedAt = new Date().toISOString();
  state.system.summary = 'The gateway is back.';
  kept(await new AdminFixture(state).start(first.port));
  await page.getByTestId('summary').getByText('The gateway is back.').waitFor();
  expect(await page.getByText('Connection to the gateway lost').count()).toBe(0);
  expect(complaints.filter(isOfThePage)).toEqual([]);
});

test('a change carries the token, a refusal is shown, and only this tab keeps the token', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west']), { token: 'right' }).start());
  const { page, complaints } = await openOver(fixture);
  await page.getByRole('button', { name: 'Change the weight of east' }).click();
  await page.getByLabel('Weight, 0 to 1000').fill('20');
  await page.getByRole('textbox', { name: 'Admin token' }).fill('wrong');
  await page.getByRole('button', { name: 'Set weight' }).click();
  await page.getByRole('alert').getByText('The gateway refused this token.').waitFor();
  expect(fixture.changes).toEqual([]);
  await page.getByRole('textbox', { name: 'Admin token' }).fill('right');
  await page.getByRole('button', { name: 'Set weight' }).click();
  await page.getByText('The weight of east is 20. The next reload restores the values in tier1.yaml.').waitFor();
  // The token is there now: it is not asked for again.
  await page.getByRole('button', { name: 'Drain west' }).click();
  expect(await page.getByRole('textbox', { name: 'Admin token' }).count()).toBe(0);
  await page.getByRole('dialog').getByRole('button', { name: 'Drain west' }).click();
  await page.getByText('west is drained. The next reload restores the values in tier1.yaml.').waitFor();
  expect(fixture.changes).toEqual(['PUT /api/regions/east/weight {"weight":20}', 'POST /api/regions/west/drain']);
  expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('right');
  expect(await page.evaluate('JSON.stringify(sessionStorage)')).toContain('right');
  expect(complaints.filter(isOfThePage)).toEqual([]);
});

test('the page asks for the token where reading needs it', async () => {
  const options = { token: 'right', needsTokenToRead: true };
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west']), options).start());
  const { page } = await openOver(fixture);
  await page.getByText('The gateway requires a token.').waitFor();
  await page.getByRole('button', { name: 'Enter token' }).click();
  await page.getByRole('textbox', { name: 'Admin token' }).fill('right');
  await page.getByRole('button', { name: 'Keep in this tab' }).click();
  await page.getByTestId('summary').getByText('All 2 regions are up.').waitFor();
});

test('a viewer sees the name and role of the token, and no buttons for changes', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west']), { token: 'right' }).start());
  fixture.role = 'viewer';
  const { page, complaints } = await openOver(fixture);
  const drain = page.getByRole('button', { name: 'Drain east' });
  await drain.waitFor();
  await page.getByRole('button', { name: 'Admin token' }).click();
  await page.getByRole('textbox', { name: 'Admin token' }).fill('right');
  await page.getByRole('button', { name: 'Keep in this tab' }).click();
  await page.getByTestId('caller').getByText('alice, viewer').waitFor();
  await until('the buttons are gone', async () => (await drain.count()) === 0);
  expect(await page.getByRole('columnheader', { name: 'Change' }).count()).toBe(0);
  await page.getByText('as the test says').waitFor();
  expect(await accessibilityViolations(page)).toEqual([]);
  await page.reload();
  await page.getByTestId('caller').getByText('alice, viewer').waitFor();
  expect(complaints).toEqual([]);
});

test('a token that the gateway no longer knows is forgotten, and reading continues where it needs none', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west']), { token: 'right' }).start());
  const { page } = await openOver(fixture);
  await page.getByTestId('phase').getByText('live', { exact: true }).waitFor();
  await page.evaluate(`sessionStorage.setItem('causeway-admin-token', 'of yesterday')`);
  await page.reload();
  await page.getByTestId('phase').getByText('live', { exact: true }).waitFor();
  expect(await page.getByTestId('caller').textContent()).toBe('Token');
  expect(await page.evaluate('JSON.stringify(sessionStorage)')).not.toContain('yesterday');
});

test('consumers are shown by principal, where clients are authenticated', async () => {
  const state = fixtureState(['east', 'west'], 20);
  const fixture = kept(await new AdminFixture(state).start());
  const { page } = await openOver(fixture);
  await page.getByRole('columnheader', { name: 'Principal' }).waitFor();
  expect((await page.locator('.consumer-principal').allTextContents()).slice(0, 3)).toEqual([
    '–',
    'tenant-1/worker',
    'tenant-2/worker',
  ]);
  await page.getByRole('searchbox').fill('Tenant-3');
  await page.getByTestId('consumer-count').getByText('1 to 4 of 4').waitFor();
  for (const consumer of state.consumers) consumer.principal = null;
  await page.getByRole('searchbox').fill('');
  await page.getByTestId('consumer-count').getByText('1 to 20 of 20', { exact: true }).waitFor();
  expect(await page.locator('.consumer-principal').count()).toBe(0);
});

test('names of clients are shown as text, never as markup', async () => {
  const state = fixtureState(['east', 'west'], 1);
  const name = '<img src=x onerror="document.title=1">';
  Object.assign(state.consumers[0] ?? {}, { group: name, instance: name, principal: name });
  state.system.summary = `${name} is down.`;
  const fixture = kept(await new AdminFixture(state).start());
  fixture.emit({ id: 1, at: new Date().toISOString(), type: 'reloadRefused', file: 'a.yaml', reason: name });
  const { page, complaints } = await openOver(fixture);
  await page.getByRole('cell', { name }).first().waitFor();
  await page.locator('.timeline').getByText(name).waitFor();
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.title()).toBe('Causeway');
  expect(complaints).toEqual([]);
});

test('the theme follows the system until the reader chooses, and the page remembers the choice', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west'])).start());
  const { page } = await openOver(fixture, { colorScheme: 'dark' });
  // At once: a change before the page was drawn went unnoticed once.
  const scheme = () => page.evaluate('document.documentElement.style.colorScheme');
  expect(await scheme()).toBe('dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await until('it is light', async () => (await scheme()) === 'light');
  await page.getByRole('button', { name: 'Dark colours' }).click();
  expect(await scheme()).toBe('dark');
  await page.reload();
  expect(await scheme()).toBe('dark');
});

test('a request for a dialog while another one closes opens it', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west']), { token: 'right' }).start());
  const { page } = await openOver(fixture);
  await page.getByRole('button', { name: 'Drain east' }).click();
  await page.getByRole('dialog').waitFor();
  // The dialog disappears at once; its close event comes a moment later.
  await page.evaluate(`
    document.querySelector('dialog').close();
    document.querySelector('button[aria-label="Drain east"]').click();
  `);
  const box = page.getByRole('textbox', { name: 'Admin token' });
  await box.waitFor();
  await box.fill('right');
  await page.keyboard.press('Enter');
  await page.getByText('east is drained.').waitFor();
  expect(await page.getByRole('dialog').count()).toBe(0);
});

test('the whole page works by keyboard, and a dialog returns the focus', async () => {
  const fixture = kept(await new AdminFixture(fixtureState(['east', 'west']), { token: 'right' }).start());
  const { page } = await openOver(fixture);
  const drain = page.getByRole('button', { name: 'Drain east' });
  await drain.waitFor();
  const focused = () =>
    page.evaluate('document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent');
  const seen: unknown[] = [];
  while (seen.at(-1) !== 'Drain east' && seen.length < 30) {
    await page.keyboard.press('Tab');
    seen.push(await focused());
  }
  expect(seen[0]).toBe('Skip to content');
  expect(seen.at(-1)).toBe('Drain east');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await until('the dialog is closed', async () => (await page.getByRole('dialog').count()) === 0);
  expect(await focused()).toBe('Drain east');
  await page.keyboard.press('Enter');
  const isTyping = () => page.evaluate<boolean>('document.activeElement?.tagName === "INPUT"');
  await until('the dialog waits for the token', isTyping);
  await page.keyboard.type('right');
  await page.keyboard.press('Enter');
  await page.getByText('east is drained.').waitFor();
  expect(await focused()).toBe('Drain east');
});

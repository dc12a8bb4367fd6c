/** The page with two Kafka clusters in a real Chromium: who is active, what replication lacks, what was lost, and the operator's buttons. */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { AdminFixture, fixtureState } from '../harness/admin-fixture.ts';
import { accessibilityViolations, launchBrowser, openPage, type TestBrowser } from '../harness/browser.ts';
import { addClusters, loseEast, replicationOf } from '../harness/cluster-fixture.ts';
import { until } from '../harness/until.ts';

/** `CAUSEWAY_SCREENSHOTS=1` writes that of docs/operating.md. */
const SCREENSHOTS = fileURLToPath(new URL('../../docs/screenshots', import.meta.url));
const takesScreenshots = process.env['CAUSEWAY_SCREENSHOTS'] === '1';

let chromium: TestBrowser;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  chromium = await launchBrowser();
});
afterAll(() => chromium?.close());
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function openClusters(options: Parameters<typeof openPage>[2] = {}) {
  const state = fixtureState(['east', 'west']);
  const all = addClusters(state.system);
  const fixture = await new AdminFixture(state, { token: 'right' }).start();
  open.push(fixture);
  const opened = await openPage(chromium.browser, fixture.url, options);
  open.push(opened.context);
  await opened.page.locator('[data-flow]').waitFor();
  return { ...all, ...opened, system: state.system, fixture };
}

/** The colours of the second one are checked on a phone. */
const FOR_SCREENSHOTS = takesScreenshots ? ([['dark', 1280]] as const) : [];

test.each([['light', 1280], ['dark', 390], ...FOR_SCREENSHOTS] as const)(
  'no accessibility violation with a lag, after a loss and with a fenced cluster, %s and %i pixels wide',
  async (colorScheme, width) => {
    const opened = await openClusters({ colorScheme, viewport: { width, height: 844 } });
    const { page, system, fixture, complaints } = opened;
    const check = async (name: string): Promise<void> => {
      expect([name, await accessibilityViolations(page)]).toEqual([name, []]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true);
    };
    await page.getByText('2 topics behind').click();
    await check('lag');
    opened.clusters.isReplicationEnded = false;
    opened.west.replication = replicationOf('east', 'west', { records: 900, seconds: 45 });
    fixture.tell({});
    await page.getByText('MirrorMaker may still fill east').waitFor();
    await check('late');
    opened.clusters.isReplicationEnded = true;
    loseEast(system, opened);
    fixture.tell({});
    await page.locator('[data-loss="2"]').waitFor();
    await check('lost');
    if (takesScreenshots && width === 1280) {
      await page.locator('.clusters-panel').screenshot({ path: `${SCREENSHOTS}/clusters-${colorScheme}-1280.png` });
    }
    loseEast(system, opened, { hasReturned: true });
    fixture.tell({});
    await page.getByRole('button', { name: 'Rejoin east' }).click();
    await check('fenced');
    expect(complaints).toEqual([]);
  },
);

test('who is active, since when, by whom and why, and what the other one lacks', async () => {
  const opened = await openClusters();
  const { page, west, east, fixture, system } = opened;
  const [first, flow, last] = await page.locator('.clusters > *').all();
  expect(await first?.textContent()).toMatch(/^eastactive for 1 h.*Active since .*promotion 1 by gateway tier1/);
  expect(await flow?.textContent()).toMatch(
    /^Replication from east to west12 records, 0\.4 swould be lost now \(RPO\)/,
  );
  expect(await last?.textContent()).toMatch(/^weststandby/);
  // In the picture and in the table of regions, too.
  await page.locator('.lane-drained').waitFor({ state: 'attached' });
  await page.locator('[data-region-row="west"]').getByText('Kafka cluster west is not the active one').waitFor();
  west.replication = replicationOf('east', 'west', { problem: 'no offset syncs', measuredAgoMs: 12_000, records: 3 });
  east.replication = null;
  fixture.tell({});
  await page.locator('.flow-unmeasured').getByText('no offset syncs').waitFor();
  expect(await page.locator('.flow-unmeasured').textContent()).toMatch(/cannot be measured.*1\d s ago: 3 records/);
  loseEast(system, opened);
  fixture.tell({});
  const loss = page.locator('[data-loss="2"]');
  await loss
    .getByText(/^Lost with east, when west was promoted at .*: 12 records of 3 partitions, as far as known$/)
    .waitFor();
  expect(await loss.locator('tbody tr').first().locator('td').allTextContents()).toEqual([
    'orders',
    '0',
    '1,200,341',
    '1,200,348',
    '8',
  ]);
  // The arrow turns; the clusters keep their places.
  await page.locator('.flow-back').getByText('Replication from west to east').waitFor();
  expect(await page.locator('.cluster h3').allTextContents()).toEqual([
    'eastcannot serve',
    expect.stringMatching(/^westactive for/),
  ]);
  expect(await page.getByRole('button', { name: 'Promote east' }).isDisabled()).toBe(true);
  system.clusters = null;
  fixture.tell({});
  await until('no clusters, no section', async () => (await page.locator('.clusters-panel').count()) === 0);
});

test('a promotion that the bridge refuses shows why, and is repeated by force only when the operator says so', async () => {
  const opened = await openClusters();
  const { page, fixture, clusters, system } = opened;
  const message =
    'Kafka cluster west cannot be promoted now: replication did not catch up within 10000 ms: 7 records are missing';
  const report = loseEast(fixtureState(['east', 'west']).system, {
    ...opened,
    clusters: structuredClone(clusters),
    east: structuredClone(opened.east),
    west: structuredClone(opened.west),
  });
  const refused = { status: 409, body: { error_code: 409, message } };
  const promoted = { promotion: { number: 2, cluster: 'west' }, kind: 'forced', report, clusters };
  fixture.clusterAnswers.push(refused, refused, { status: 200, body: promoted });
  const promote = page.getByRole('button', { name: 'Promote west' });
  await promote.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('west lacks 12 records, 0.4 s now (RPO), and gets it first.').waitFor();
  const force = dialog.getByRole('checkbox');
  expect(await force.count()).toBe(0);
  await dialog.getByRole('textbox', { name: 'Admin token' }).fill('right');
  await page.keyboard.press('Enter');
  await dialog.getByRole('alert').getByText(message).waitFor();
  // Not without the tick.
  await dialog.getByRole('button', { name: 'Promote west' }).click();
  await until('it was sent again', () => fixture.changes.length === 2);
  await dialog.getByRole('button', { name: 'Promote west' }).waitFor();
  expect(await accessibilityViolations(page)).toEqual([]);
  await force.check();
  await dialog.getByRole('button', { name: 'Promote west' }).click();
  await page.getByText('west is active, by promotion 2. Lost with east: 12 records, as far as known.').waitFor();
  const path = 'POST /api/clusters/west/promote';
  expect(fixture.changes).toEqual([`${path} {"force":false}`, `${path} {"force":false}`, `${path} {"force":true}`]);
  expect(system.clusters?.active).toBe('east');
});

test('a cluster rejoins without a report only when the operator says that the other one is gone', async () => {
  const opened = await openClusters();
  const { page, fixture, system } = opened;
  const report = loseEast(system, opened, { hasReturned: true });
  fixture.tell({});
  const message =
    'Kafka cluster west cannot be reached, which knows what east alone has; isPeerGone lets east rejoin without a report';
  const body = { promotion: report.promotion, report: null, clusters: system.clusters };
  fixture.clusterAnswers.push({ status: 409, body: { error_code: 409, message } }, { status: 200, body });
  await page.getByRole('button', { name: 'Rejoin east' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Admin token' }).fill('right');
  expect(await dialog.getByRole('checkbox').count()).toBe(0);
  await dialog.getByRole('button', { name: 'Rejoin east' }).click();
  await dialog.getByRole('alert').getByText(message).waitFor();
  await dialog.getByRole('checkbox', { name: 'The other cluster is gone' }).check();
  expect(await accessibilityViolations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Rejoin east' }).click();
  await page.getByText('east stands by. It is unknown which records it has alone.').waitFor();
  const path = 'POST /api/clusters/east/rejoin';
  expect(fixture.changes).toEqual([path, `${path} {"isPeerGone":true}`]);
});

test('a fenced cluster can rejoin and not be promoted, and a viewer sees neither button', async () => {
  const opened = await openClusters();
  const { page, fixture, system } = opened;
  const report = loseEast(system, opened, { hasReturned: true });
  fixture.tell({});
  const rejoin = page.getByRole('button', { name: 'Rejoin east' });
  await rejoin.waitFor();
  expect(await page.getByRole('button', { name: /^Promote/ }).count()).toBe(0);
  const body = { promotion: report.promotion, report, clusters: system.clusters };
  fixture.clusterAnswers.push({ status: 200, body });
  await rejoin.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('npm run clusters -- rejoin east').waitFor();
  await dialog.getByRole('textbox', { name: 'Admin token' }).fill('right');
  await dialog.getByRole('button', { name: 'Rejoin east' }).click();
  await page.getByText('east stands by. It has alone: 12 records.').waitFor();
  expect(fixture.changes).toEqual(['POST /api/clusters/east/rejoin']);
  fixture.role = 'viewer';
  await page.reload();
  await page.getByTestId('caller').getByText('alice, viewer').waitFor();
  await until('no button', async () => (await page.locator('.clusters-panel button').count()) === 0);
});

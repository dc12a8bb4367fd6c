/** The topology page over https, from a real gateway with tokens of two people, in a real Chromium. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accepting, accessibilityViolations, launchBrowser, openPage, type TestBrowser } from '../harness/browser.ts';
import { type CertifiedKey, TestAuthority } from '../harness/certificates.ts';
import { regions, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startUpstream, type Upstream } from '../harness/upstream.ts';

const ALICE = 'token-of-alice-000';
const BOB = 'token-of-bob-00000';
const directory = mkdtempSync(join(tmpdir(), 'causeway-page-tls-'));

let chromium: TestBrowser;
let own: CertifiedKey;
let upstreams: Upstream[] = [];
let gw: TestGateway;
beforeAll(async () => {
  own = await (await TestAuthority.create(directory)).certify('page', { ip: ['127.0.0.1'] });
  [chromium, ...upstreams] = await Promise.all([
    launchBrowser({ args: [accepting(own.cert)] }),
    startUpstream(),
    startUpstream(),
  ]);
  const [east, west] = upstreams.map(({ url }) => String(url));
  gw = await startGateway({
    admin: {
      host: '0.0.0.0',
      port: 0,
      tls: { certFile: own.certFile, keyFile: own.keyFile },
      tokens: [
        { name: 'alice', role: 'operator', token: ALICE },
        { name: 'bob', role: 'viewer', token: BOB },
      ],
    },
    regions: regions({ east: String(east), west: String(west) }),
  });
});
afterAll(async () => {
  await Promise.all([chromium?.close(), gw?.close()]);
  await Promise.all(upstreams.map((upstream) => upstream.kill()));
  rmSync(directory, { recursive: true });
});

const isOfThePage = (complaint: string): boolean => !complaint.startsWith('Failed to load resource');

test('an operator logs in and drains a region, a viewer cannot, and a broken certificate is a red line', async () => {
  const url = gw.adminUrl.replace('0.0.0.0', '127.0.0.1');
  expect(url).toMatch(/^https:/);
  const { page, context, complaints } = await openPage(chromium.browser, `${url}/`);
  const enter = async (token: string): Promise<void> => {
    await page.getByRole('textbox', { name: 'Admin token' }).fill(token);
    await page.getByRole('button', { name: 'Keep in this tab' }).click();
  };
  try {
    // Beyond loopback, reading needs a token.
    await page.getByText('The gateway requires a token.').waitFor();
    await page.getByRole('button', { name: 'Enter token' }).click();
    await enter('token-of-eve-00000');
    await page.getByText('The gateway requires a token. The token is wrong.').waitFor();
    await page.getByRole('button', { name: 'Enter token' }).click();
    await enter(BOB);
    await page.getByTestId('caller').getByText('bob, viewer').waitFor();
    await page.locator('[data-region-row="east"]').waitFor();
    expect(await page.getByRole('button', { name: 'Drain east' }).count()).toBe(0);

    await page.getByRole('button', { name: 'Admin token' }).click();
    await enter(ALICE);
    await page.getByTestId('caller').getByText('alice, operator').waitFor();
    await page.getByRole('button', { name: 'Drain east' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drain east' }).click();
    await page.locator('[data-event="audit"]').getByText('alice: drain of east: off → on').waitFor();

    const row = page.locator('[data-listener="admin"]');
    await row.getByText('valid for').waitFor();
    expect(await row.textContent()).toContain(url.replace('127.0.0.1', '0.0.0.0'));
    writeFileSync(own.certFile, 'no certificate');
    await page.locator('[data-banner="certificate listener admin"]').waitFor();
    expect(await accessibilityViolations(page)).toEqual([]);
    expect(complaints.filter(isOfThePage)).toEqual([]);
  } finally {
    await context.close();
  }
});

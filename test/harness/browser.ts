/** A real Chromium, which `npm ci` installs with libraries and font, and checks of its pages. */

import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

export interface TestBrowser {
  browser: Browser;
  close(): Promise<void>;
}

/** An argument with which the browser accepts a certificate (PEM) of a private authority, and still checks everything else. */
export function accepting(certificate: string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`;
}

/** The package has a Chromium for Linux on x64. On other systems, `CHROMIUM_PATH` names an installed one. */
export async function launchBrowser({ args = [] }: { args?: readonly string[] } = {}): Promise<TestBrowser> {
  const home = mkdtempSync(join(tmpdir(), 'causeway-browser-'));
  const installed = process.env['CHROMIUM_PATH'] ?? '';
  const directory = installed === '' ? await unpacked() : '';
  const own = { LD_LIBRARY_PATH: join(directory, 'al2023', 'lib'), FONTCONFIG_PATH: join(directory, 'fonts') };
  const browser = await chromium.launch({
    executablePath: installed === '' ? join(directory, 'chromium') : installed,
    env: { ...process.env, HOME: home, LANG: 'en_GB.UTF-8', ...(installed === '' ? own : {}) },
    // Without a sandbox, which does not run in containers and as root. The browser only opens our own pages.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--font-render-hinting=none', ...args],
  });
  return {
    browser,
    async close() {
      await browser.close();
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const MANIFEST = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..', 'package.json');
const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string };
const UNPACKED = fileURLToPath(new URL(`../../node_modules/.cache/chromium-${version}`, import.meta.url));
const UNPACK = fileURLToPath(new URL('unpack-chromium.ts', import.meta.url));

/** The first file with a browser unpacks it for all: 200 MB. */
async function unpacked(): Promise<string> {
  if (existsSync(UNPACKED)) return UNPACKED;
  mkdirSync(dirname(UNPACKED), { recursive: true });
  const directory = mkdtempSync(`${UNPACKED}-`);
  try {
    // In a process of its own, because others of this process use the temporary directory meanwhile.
    await promisify(execFile)(process.execPath, [UNPACK], { env: { ...process.env, TMPDIR: directory } });
    // The package's own configuration looks in /tmp/fonts. Without a font, the browser crashes at the first text.
    writeFileSync(join(directory, 'fonts', 'fonts.conf'), fontConfig(UNPACKED));
    renameSync(directory, UNPACKED);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    // Another file may have unpacked it meanwhile.
    if (!existsSync(UNPACKED)) throw error;
  }
  return UNPACKED;
}

function fontConfig(directory: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${join(directory, 'fonts')}</dir><cachedir>${join(directory, 'fonts-cache')}</cachedir></fontconfig>
`;
}

export interface WatchedPage {
  page: Page;
  context: BrowserContext;
  /** Errors and warnings of the console, and uncaught errors. */
  complaints: string[];
}

/** How long a test waits for the page to show something. */
const WAIT_MS = 30_000;

/** A page with its own storage. */
export async function openPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', ...options });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, context, complaints };
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG 2.2 AA and of axe-core's best practices, one line each. */
export async function accessibilityViolations(page: Page): Promise<string[]> {
  // The page's policy blocks added scripts. This bypasses it, as an extension would.
  await page.evaluate(AXE);
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
      id + ': ' + help + ' at ' + target.join(' ') + ' (' + failureSummary + ')')))`);
}

/** The page's own measurement of its updates. */
export async function updateTimes(page: Page): Promise<{ count: number; maxMs: number; recentMs: number[] }> {
  return page.evaluate('window.__causewayUpdateMs');
}

/** The given percentile of the duration of updates, by the clock. */
export function percentile(updateMs: readonly number[], share: number): number {
  const sortedMs = updateMs.toSorted((a, b) => a - b);
  return sortedMs[Math.min(sortedMs.length - 1, Math.floor(sortedMs.length * share))] ?? Number.POSITIVE_INFINITY;
}

/** https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
interface TraceEvent {
  ph: string;
  name: string;
  pid: number;
  tid: number;
  args: { name?: string };
  /** By the clock, in microseconds. */
  dur: number;
  /** Processor time of the thread; absent if the kernel does not report it. */
  tdur?: number;
}

/**
 * The most work that one task of the page's main thread was while `use` ran, in milliseconds on a processor: what other
 * processes of the machine take does not count. A frame is one task: scripts, styles, layout and paint.
 */
export async function longestTaskMs(page: Page, use: () => Promise<void>): Promise<number> {
  const browser = page.context().browser();
  if (browser === null) throw new TypeError('The page has no browser.');
  await browser.startTracing(page, { categories: ['__metadata', 'toplevel', 'disabled-by-default-devtools.timeline'] });
  let trace: Buffer | undefined;
  try {
    await use();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const threadOf = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;
  const mainThreads = new Set(
    traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(threadOf),
  );
  const workMs = traceEvents
    .filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && mainThreads.has(threadOf(event)))
    .map(({ dur, tdur = dur }) => tdur / 1000);
  if (workMs.length === 0) throw new Error('The trace has no task of the page.');
  return workMs.reduce((most, ms) => Math.max(most, ms), 0);
}

/** A real Chromium that comes with `npm ci`, libraries and font included, and what tests ask of its pages. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

export interface TestBrowser {
  browser: Browser;
  close(): Promise<void>;
}

/** The package has a Chromium for Linux on x64; elsewhere `CHROMIUM_PATH` names one that is installed. */
export async function launchBrowser(): Promise<TestBrowser> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-browser-'));
  const installed = process.env['CHROMIUM_PATH'] ?? '';
  const own = { LD_LIBRARY_PATH: join(directory, 'al2023', 'lib'), FONTCONFIG_PATH: join(directory, 'fonts') };
  const browser = await chromium.launch({
    executablePath: installed === '' ? await unpack(directory) : installed,
    env: { ...process.env, HOME: directory, LANG: 'en_GB.UTF-8', ...(installed === '' ? own : {}) },
    // Without a sandbox, as containers and root need it: it only ever sees pages of ours.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--font-render-hinting=none'],
  });
  return {
    browser,
    async close() {
      await browser.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The package unpacks to the system's temporary directory and takes what lies there for its own: it gets one. */
async function unpack(directory: string): Promise<string> {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = directory;
  try {
    const { default: packed, inflate } = await import('@sparticuz/chromium');
    const bin = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..', 'bin');
    await inflate(join(bin, 'al2023.tar.br'));
    const executable = await packed.executablePath(bin);
    // The one that comes with it looks in /tmp/fonts. Without a font the browser dies at the first text.
    writeFileSync(join(directory, 'fonts', 'fonts.conf'), fontConfig(directory));
    return executable;
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
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
  /** What the console complained about, and errors that nobody caught. */
  complaints: string[];
}

/** How long a test waits for what a page should show. */
const WAIT_MS = 30_000;

/** A page of its own: no storage is shared with another. */
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

/** What axe-core finds against WCAG 2.2 AA and its best practices, as one line each. */
export async function accessibilityViolations(page: Page): Promise<string[]> {
  // The page's policy lets nobody add a script: this goes past it, as an extension would.
  await page.evaluate(AXE);
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
      id + ': ' + help + ' at ' + target.join(' ') + ' (' + failureSummary + ')')))`);
}

/** The page's own measure of its updates. */
export async function updateTimes(page: Page): Promise<{ count: number; maxMs: number; recentMs: number[] }> {
  return page.evaluate('window.__causewayUpdateMs');
}

/** By the clock, how long the given share of the updates took at most. */
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
  /** Of the thread on a processor; left out where it is none. */
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

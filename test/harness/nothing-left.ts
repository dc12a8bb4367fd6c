/** Fails a test file that leaves a server listening: the next file would run in the same process, beside it. */
import process from 'node:process';
import { afterAll, beforeAll, expect } from 'vitest';
import { until } from './until.ts';

let before = 0;

beforeAll(() => {
  before = servers();
});

// Registered before the hooks of the file, and so run after them.
afterAll(async () => {
  await until('every server is closed', () => servers() <= before).catch(() => {
    expect.fail(`The file leaves ${servers() - before} servers listening: close them in afterAll or onTestFinished.`);
  });
});

function servers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap').length;
}

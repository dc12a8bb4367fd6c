import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Stopwatch } from './harness/stopwatch.ts';

test('a stopwatch measures what is waited for, and not the time in which the process has no turn', async () => {
  const waiting = new Stopwatch();
  for (let wait = 0; wait < 20; wait += 1) await delay(20);
  expect(waiting.stop()).toBeGreaterThan(200);

  const stalled = new Stopwatch();
  const startedAtMs = performance.now();
  while (performance.now() - startedAtMs < 500);
  expect(stalled.stop()).toBeLessThan(100);
});

import { expect, onTestFinished, test } from 'vitest';
import { MachinePace } from './machine-pace.ts';

function newPace(): MachinePace {
  const pace = new MachinePace();
  onTestFinished(() => pace.close());
  return pace;
}

test('a bound is never shorter than it was chosen', () => {
  expect(newPace().boundMs(1_500, 1_000)).toBeGreaterThanOrEqual(2_500);
});

test('a stalled process takes longer for work, but not for waiting', async () => {
  const pace = newPace();
  const held = new Int32Array(new SharedArrayBuffer(4));
  // As a machine does that gives this process no time.
  Atomics.wait(held, 0, 0, 1_000);
  await expect.poll(() => pace.slowness).toBeGreaterThan(100);
  expect(pace.boundMs(1_500, 0)).toBe(1_500);
  expect(pace.boundMs(0, 10)).toBeGreaterThan(1_000);
});

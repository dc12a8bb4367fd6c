import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutcomeWindow } from './outcome-window.ts';

const WINDOW_MS = 1_000;
const BUCKET_MS = 100;

test('the totals are those of the last ten stretches, for any sequence of outcomes', () => {
  const step = fc.record({
    // Most pauses stay within the window, some are longer.
    pauseMs: fc.oneof({ weight: 4, arbitrary: fc.nat(250) }, { weight: 1, arbitrary: fc.nat(5_000) }),
    successes: fc.nat(3),
    failures: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const window = new OutcomeWindow(WINDOW_MS);
      const outcomes: { stretch: number; isFailure: boolean }[] = [];
      let nowMs = 0;
      for (const { pauseMs, successes, failures } of steps) {
        nowMs += pauseMs;
        const stretch = Math.floor(nowMs / BUCKET_MS);
        if (successes > 0) window.addSuccesses(successes, nowMs);
        for (let index = 0; index < failures; index += 1) window.addFailure(nowMs);
        for (let index = 0; index < successes + failures; index += 1) {
          outcomes.push({ stretch, isFailure: index >= successes });
        }
        const counted = outcomes.filter((outcome) => outcome.stretch > stretch - 10);
        expect(window.totals(nowMs)).toEqual({
          requests: counted.length,
          failures: counted.filter(({ isFailure }) => isFailure).length,
        });
      }
    }),
    { seed: 14, numRuns: 300 },
  );
});

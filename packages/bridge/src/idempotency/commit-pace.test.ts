import { describe, expect, test } from 'vitest';
import { CommitPace } from './commit-pace.ts';

/** Runs transactions over a broker whose markers take `markersMs`; returns how many it held back, and the pause at the end. */
function run(markersMs: number, count: number): { heldBackCount: number; pauseMs: number } {
  const pace = new CommitPace();
  let nowMs = 0;
  let heldBackCount = 0;
  for (let index = 0; index < count; index += 1) {
    nowMs += pace.leftMs(nowMs);
    const isHeldBack = index > 0 && pace.pauseMs < markersMs;
    if (isHeldBack) heldBackCount += 1;
    const durationMs = isHeldBack ? 21 : 1;
    pace.onFirstSent(nowMs, durationMs);
    nowMs += durationMs + 2;
    pace.onCommitted(nowMs);
  }
  return { heldBackCount, pauseMs: pace.pauseMs };
}

describe('the pause after a commit', () => {
  test.each([1.5, 3, 5, 8])('finds markers that take %d ms, and few transactions are held back', (markersMs) => {
    const { heldBackCount, pauseMs } = run(markersMs, 2_000);
    expect(heldBackCount).toBeLessThan(2_000 * 0.04);
    expect(pauseMs).toBeGreaterThan(markersMs - 1);
    expect(pauseMs).toBeLessThan(markersMs + 2);
  });

  test('does not grow with a broker that is slow itself', () => {
    expect(run(1_000, 2_000).pauseMs).toBe(10);
  });

  test('nothing waits long after a commit', () => {
    const pace = new CommitPace();
    pace.onCommitted(0);
    expect(pace.leftMs(1)).toBe(2);
    expect(pace.leftMs(50)).toBe(0);
    pace.onFirstSent(50, 500);
    expect(pace.pauseMs).toBe(3);
  });
});

import { expect, test } from 'vitest';
import { heartbeatPauseMs } from './heartbeats.ts';

test.each([
  [1, 1000, 30_000, 1000],
  [100, 1000, 30_000, 1000],
  [300, 1000, 30_000, 3000],
  [1000, 1000, 30_000, 10_000],
  [100_000, 1000, 30_000, 10_000],
  [1000, 1000, 6000, 2000],
  [500, 8000, 30_000, 8000],
])(
  '%i consumers, %i ms configured, session of %i ms: every %i ms',
  (count, heartbeatIntervalMs, sessionTimeoutMs, pauseMs) => {
    expect(heartbeatPauseMs({ heartbeatIntervalMs, sessionTimeoutMs }, count)).toBe(pauseMs);
  },
);

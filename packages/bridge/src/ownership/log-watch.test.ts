import { expect, test } from 'vitest';
import { IDLE_SESSION } from '../../../../test/harness/session-description.ts';
import { ageMs, type LogWatch, watchAt } from './log-watch.ts';
import type { LoggedEntry } from './session-entry.ts';
import { orphansIn } from './upkeep.ts';

const PAUSE_MS = 30;

/** The watch after looks at these moments; `readableSinceMs`: since when the log was readable at each. */
function watchAfter(looks: [nowMs: number, readableSinceMs: number][]): LogWatch | undefined {
  let watch: LogWatch | undefined;
  for (const [nowMs, readableSinceMs] of looks)
    watch = watchAt(nowMs, watch, { readableSinceMs, longestPauseMs: PAUSE_MS });
  return watch;
}

test.each<[what: string, looks: [nowMs: number, readableSinceMs: number][], ageMs: number]>([
  ['time before the first look', [[1000, 0]], 0],
  [
    'time between looks',
    [
      [1000, 0],
      [1020, 0],
      [1040, 0],
    ],
    40,
  ],
  [
    'no time in which the process was stopped',
    [
      [1000, 0],
      [1020, 0],
      [9000, 0],
      [9010, 0],
    ],
    10,
  ],
  [
    'no time in which the log could not be read',
    [
      [1000, 0],
      [1020, Number.POSITIVE_INFINITY],
      [1040, 1035],
      [1060, 1035],
    ],
    25,
  ],
  [
    'no time before a break that no look saw',
    [
      [1000, 0],
      [1020, 0],
      [1040, 1039],
    ],
    1,
  ],
])('the age of an entry counts %s', (_what, looks, expected) => {
  const watch = watchAfter(looks);
  expect(watch && ageMs({ readAtMs: 0 }, watch)).toBe(expected);
});

test('an entry that was read while the log was watched is as old as that', () => {
  expect(ageMs({ readAtMs: 1015 }, { sinceMs: 1000, nowMs: 1040 })).toBe(25);
});

test('whether a session is an orphan does not depend on any wall clock', () => {
  const watch = { sinceMs: 0, nowMs: 1_000 };
  const entry = (id: string, readAtMs: number, atMs: number, inactivityTimeoutMs?: number): LoggedEntry => ({
    identity: { group: 'g', name: id },
    epoch: 1,
    id,
    claimedAtOffset: 0n,
    offset: 0n,
    readAtMs,
    value: {
      version: 1,
      owner: 'x/y',
      state: 'held',
      writtenAtMs: atMs,
      createdAtMs: atMs,
      ...(inactivityTimeoutMs === undefined ? {} : { inactivityTimeoutMs }),
      description: IDLE_SESSION,
    },
  });
  for (const shiftMs of [-3_600_000, 0, 3_600_000, 1e12]) {
    const atMs = Date.now() + shiftMs;
    const all = [
      entry('fresh', 900, atMs),
      entry('old', 700, atMs),
      entry('patient', 700, atMs, 200),
      entry('mine', 0, atMs),
    ];
    const orphans = orphansIn(all, { claims: new Set(['mine']), watch, inactivityTimeoutMs: 100 });
    expect(orphans.map(({ id }) => id)).toEqual(['old']);
  }
});

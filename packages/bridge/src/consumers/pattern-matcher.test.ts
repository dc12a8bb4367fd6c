import { expect, test } from 'vitest';
import { type MatcherClock, PatternMatcher } from './pattern-matcher.ts';
import { TopicPattern } from './topic-pattern.ts';

/** Names of the longest length, no two alike, so that no state of a matcher is used twice. */
function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const digits = index.toString(2).padStart(16, '0');
    return digits.repeat(16).slice(0, 249).replaceAll('0', 'a').replaceAll('1', 'b');
  });
}

test('names are found in their order, by many patterns at a time', async () => {
  const matcher = new PatternMatcher();
  const all = names(500);
  const found = await Promise.all(
    Array.from({ length: 20 }, (_, index) => matcher.match(new TopicPattern(index % 2 === 0 ? 'a.*' : '.*b'), all)),
  );
  found.forEach((matching, index) => {
    expect(matching).toEqual(all.filter((name) => (index % 2 === 0 ? name.startsWith('a') : name.endsWith('b'))));
  });
});

/** A clock of a machine on which every name takes a millisecond: each look at the time is one name later. */
function slowMachine(): MatcherClock {
  let nowMs = 0;
  return {
    nowMs: () => {
      nowMs += 1;
      return nowMs;
    },
    cpuMs: () => nowMs,
  };
}

test('slow patterns leave turns of the event loop to other work, and fail with the reason', async () => {
  const matcher = new PatternMatcher({ budgetMs: 100, clock: slowMachine() });
  const all = names(1000);
  const watch = monitorTurns();
  const results = await Promise.allSettled(
    Array.from({ length: 3 }, () => matcher.match(new TopicPattern('a.*'), all)),
  );
  const turnCount = watch.close();
  for (const result of results) {
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'kafkaRefused', message: 'The topic_pattern takes too long to match' },
    });
  }
  // A slice takes 5 ms, so that three budgets of 100 ms are about sixty slices.
  expect(turnCount).toBeGreaterThan(30);
});

test('a pattern that is within its time on a slow machine succeeds', async () => {
  const matcher = new PatternMatcher({ budgetMs: 100, clock: slowMachine() });
  const all = names(50);
  expect(await matcher.match(new TopicPattern('.*'), all)).toEqual(all);
});

/** Counts turns of the event loop. */
function monitorTurns(): { close(): number } {
  let turnCount = 0;
  let next = setImmediate(function turn() {
    turnCount += 1;
    next = setImmediate(turn);
  });
  return {
    close: () => {
      clearImmediate(next);
      return turnCount;
    },
  };
}

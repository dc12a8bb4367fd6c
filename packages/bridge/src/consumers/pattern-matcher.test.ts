import { expect, test } from 'vitest';
import { PatternMatcher } from './pattern-matcher.ts';
import { TopicPattern } from './topic-pattern.ts';

/** Names of the longest length, no two alike, so that no state of a matcher is used twice. */
function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const digits = index.toString(2).padStart(16, '0');
    return digits.repeat(16).slice(0, 249).replaceAll('0', 'a').replaceAll('1', 'b');
  });
}

/** One of the slowest patterns that are allowed. */
const SLOW = '(.?){180}[ab]{249}c';

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

test('slow patterns leave turns of the event loop to other work, and fail with the reason', async () => {
  const budgetMs = 100;
  const matcher = new PatternMatcher({ budgetMs });
  const all = names(20_000);
  const watch = monitorTurns();
  const results = await Promise.allSettled(Array.from({ length: 3 }, () => matcher.match(new TopicPattern(SLOW), all)));
  const turnCount = watch.close();
  for (const result of results) {
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'kafkaRefused', message: 'The topic_pattern takes too long to match' },
    });
  }
  // Some milliseconds a slice.
  expect(turnCount).toBeGreaterThan(15);
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

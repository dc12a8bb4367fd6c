import { describe, expect, test } from 'vitest';
import { INITIAL_HEALTH, judge, type ProbeResult } from './health.ts';

const good: ProbeResult = { isGood: true };
const reason = 'probe timed out after 500 ms';
const bad: ProbeResult = { isGood: false, reason, publicReason: reason, isSilent: true };

describe('rise 2, fall 3', () => {
  test.each([
    ['the first result decides alone: healthy', [good], 'healthy'],
    ['the first result decides alone: unhealthy', [bad], 'unhealthy'],
    ['one slow probe changes nothing', [good, bad], 'healthy'],
    ['fall minus one changes nothing', [good, bad, bad], 'healthy'],
    ['fall failures in a row make it unhealthy', [good, bad, bad, bad], 'unhealthy'],
    ['a success in between resets the count', [good, bad, bad, good, bad, bad], 'healthy'],
    ['one success does not make it healthy', [bad, good], 'unhealthy'],
    ['rise successes in a row make it healthy', [bad, good, good], 'healthy'],
    ['a failure in between resets the count', [bad, good, bad, good], 'unhealthy'],
  ] as const)('%s', (_, results, expected) => {
    let health = INITIAL_HEALTH;
    for (const result of results) health = judge(health, result, { rise: 2, fall: 3 });
    expect(health.status).toBe(expected);
  });

  test('the reason says what happened and how often', () => {
    let health = INITIAL_HEALTH;
    for (const result of [good, bad, bad, bad]) health = judge(health, result, { rise: 2, fall: 3 });
    expect(health.reason).toBe('probe timed out after 500 ms, 3 in a row');
  });

  test('a silent target is distinguished from one that refuses connections, also while it is unhealthy', () => {
    let health = INITIAL_HEALTH;
    for (const result of [bad, bad]) health = judge(health, result, { rise: 2, fall: 3 });
    expect(health.isSilent).toBe(true);
    health = judge(health, { ...bad, reason: 'refused', isSilent: false }, { rise: 2, fall: 3 });
    expect(health).toMatchObject({ status: 'unhealthy', isSilent: false });
  });

  test('a result without effect returns the same object, and each flip resets the count', () => {
    const thresholds = { rise: 2, fall: 3 };
    const first = judge(INITIAL_HEALTH, good, thresholds);
    expect(first).toMatchObject({ status: 'healthy', contraryCount: 0, isSilent: false });
    expect(judge(first, good, thresholds)).toBe(first);
    let health = first;
    for (const result of [bad, bad, bad, good, bad, good]) health = judge(health, result, thresholds);
    expect(health).toMatchObject({ status: 'unhealthy', contraryCount: 1 });
  });
});

test('the reason of a single deciding result has no count', () => {
  const down = judge(judge(INITIAL_HEALTH, good, { rise: 1, fall: 1 }), bad, { rise: 1, fall: 1 });
  expect(down.reason).toBe(reason);
  const twice = judge(judge(down, bad, { rise: 2, fall: 1 }), good, { rise: 1, fall: 1 });
  expect([twice.status, twice.reason]).toEqual(['healthy', 'probe succeeded']);
  const risen = judge(judge(down, good, { rise: 2, fall: 1 }), good, { rise: 2, fall: 1 });
  expect(risen.reason).toBe('probe succeeded, 2 in a row');
});

test('a target that was never probed is unknown and not silent', () => {
  expect(INITIAL_HEALTH).toMatchObject({ status: 'unknown', contraryCount: 0, isSilent: false });
});

import { describe, expect, test } from 'vitest';
import { INITIAL_HEALTH, judge, type ProbeResult } from './health.ts';

const good: ProbeResult = { isGood: true };
const reason = 'probe timed out after 500 ms';
const bad: ProbeResult = { isGood: false, reason, publicReason: reason, isSilent: true };

describe('rise 2, fall 3', () => {
  test.each([
    ['the first result decides at once: up', [good], 'healthy'],
    ['the first result decides at once: down', [bad], 'unhealthy'],
    ['one slow probe changes nothing', [good, bad], 'healthy'],
    ['fall minus one changes nothing', [good, bad, bad], 'healthy'],
    ['fall in a row take it down', [good, bad, bad, bad], 'unhealthy'],
    ['a good one in between starts the count anew', [good, bad, bad, good, bad, bad], 'healthy'],
    ['one good probe does not bring it up', [bad, good], 'unhealthy'],
    ['rise in a row bring it up', [bad, good, good], 'healthy'],
    ['a bad one in between starts the count anew', [bad, good, bad, good], 'unhealthy'],
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

  test('a target that answers nothing is told from one that refuses, while it is down too', () => {
    let health = INITIAL_HEALTH;
    for (const result of [bad, bad]) health = judge(health, result, { rise: 2, fall: 3 });
    expect(health.isSilent).toBe(true);
    health = judge(health, { ...bad, reason: 'refused', isSilent: false }, { rise: 2, fall: 3 });
    expect(health).toMatchObject({ status: 'unhealthy', isSilent: false });
  });

  test('a result that changes nothing leaves the same health, and each flip starts the count anew', () => {
    const thresholds = { rise: 2, fall: 3 };
    const first = judge(INITIAL_HEALTH, good, thresholds);
    expect(first).toMatchObject({ status: 'healthy', contraryCount: 0, isSilent: false });
    expect(judge(first, good, thresholds)).toBe(first);
    let health = first;
    for (const result of [bad, bad, bad, good, bad, good]) health = judge(health, result, thresholds);
    expect(health).toMatchObject({ status: 'unhealthy', contraryCount: 1 });
  });
});

test('one result that decides alone is not said to be one in a row', () => {
  const down = judge(judge(INITIAL_HEALTH, good, { rise: 1, fall: 1 }), bad, { rise: 1, fall: 1 });
  expect(down.reason).toBe(reason);
  const twice = judge(judge(down, bad, { rise: 2, fall: 1 }), good, { rise: 1, fall: 1 });
  expect([twice.status, twice.reason]).toEqual(['healthy', 'probe answered']);
});

test('a target that was never probed is unknown, and not silent', () => {
  expect(INITIAL_HEALTH).toMatchObject({ status: 'unknown', contraryCount: 0, isSilent: false });
});

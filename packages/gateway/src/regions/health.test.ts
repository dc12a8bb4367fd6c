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
});

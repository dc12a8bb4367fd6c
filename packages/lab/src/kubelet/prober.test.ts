import { expect, test } from 'vitest';
import { extend, type Streak, verdictOf } from './prober.ts';

const probe = { httpGet: { path: '/', port: 1 }, failureThreshold: 3, successThreshold: 2 };

/** What the kubelet believes after each answer; `+` is a success. */
function verdicts(answers: string): (string | undefined)[] {
  let streak: Streak | undefined;
  return [...answers].map((answer) => {
    streak = extend(streak, answer === '+');
    return verdictOf(streak, probe);
  });
}

test('a verdict needs as many answers of one kind in a row as its threshold says', () => {
  expect(verdicts('++-+---')).toEqual([undefined, 'success', undefined, undefined, undefined, undefined, 'failure']);
});

test('by default one success is enough, and three failures are', () => {
  const { httpGet } = probe;
  expect(verdictOf({ isSuccess: true, length: 1 }, { httpGet })).toBe('success');
  expect(verdictOf({ isSuccess: false, length: 2 }, { httpGet })).toBeUndefined();
  expect(verdictOf({ isSuccess: false, length: 3 }, { httpGet })).toBe('failure');
});

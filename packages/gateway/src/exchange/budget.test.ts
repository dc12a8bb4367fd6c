import { expect, test } from 'vitest';
import { RetryBudget } from './budget.ts';

const settings = { budgetPercent: 20, budgetMinRetries: 2 };

function takeAll(budget: RetryBudget): number {
  let count = 0;
  while (count < 1_000 && budget.take(settings)) count += 1;
  return count;
}

test('retries are a share of the requests and a few more, over ten seconds', () => {
  let nowMs = 50_000;
  const budget = new RetryBudget(() => nowMs);
  expect(takeAll(budget)).toBe(2);
  for (let index = 0; index < 100; index += 1) budget.requested(nowMs);
  expect(budget.remaining(settings)).toBe(20);
  expect(takeAll(budget)).toBe(20);
  nowMs += 9_000;
  expect(takeAll(budget)).toBe(0);
  nowMs += 1_000;
  expect(takeAll(budget)).toBe(2);
});

test('a long silence forgets everything', () => {
  let nowMs = 0;
  const budget = new RetryBudget(() => nowMs);
  for (let index = 0; index < 100; index += 1) budget.requested(nowMs);
  nowMs += 3_600_000;
  expect(budget.remaining(settings)).toBe(2);
});

import { expect, test } from 'vitest';
import { FetchBudget } from './fetch-budget.ts';

test('a fetch has its full size until the budget is spent, and is small then', () => {
  const budget = new FetchBudget(100_000);
  budget.add(99_999);
  expect(budget.isSpent).toBe(false);
  expect(budget.fetchBytes(524_288)).toBe(524_288);
  budget.add(1);
  expect(budget.isSpent).toBe(true);
  expect(budget.fetchBytes(524_288)).toBe(65_536);
  expect(budget.fetchBytes(1024)).toBe(1024);
  budget.add(-50_000);
  expect(budget.fetchBytes(524_288)).toBe(524_288);
});

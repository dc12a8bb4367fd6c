import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import { Breaker } from './breaker.ts';

let breaker: Breaker;
let states: string[];
let nowMs: number;

beforeEach(() => {
  states = [];
  nowMs = 0;
  const settings = { errorPercent: 50, minRequests: 4, windowMs: 10_000, resetMs: 50 };
  breaker = new Breaker(
    settings,
    (_, to) => states.push(to),
    () => nowMs,
  );
});
afterEach(() => breaker.close());

async function open(): Promise<void> {
  for (let count = 0; count < 4; count += 1) breaker.failed('answered 500', breaker.started());
  await until('it is open', () => breaker.state === 'open');
}

async function halfOpen(): Promise<void> {
  await open();
  await until('it is half open', () => breaker.state === 'halfOpen');
}

test('too few failures, or too small a share of the requests, do not open it', async () => {
  for (let count = 0; count < 3; count += 1) breaker.failed('answered 500', breaker.started());
  for (let count = 0; count < 10; count += 1) breaker.succeeded(breaker.started());
  breaker.failed('answered 500', breaker.started());
  await Promise.resolve();
  expect([breaker.state, breaker.admits, states]).toEqual(['closed', true, []]);
});

test('more than half of the requests failing opens it, and nothing is admitted until it is half open', async () => {
  for (let count = 0; count < 2; count += 1) breaker.succeeded(breaker.started());
  for (let count = 0; count < 3; count += 1) breaker.failed('answered 500', breaker.started());
  await until('it is open', () => breaker.state === 'open');
  expect(breaker.admits).toBe(false);
  await until('it is half open', () => breaker.state === 'halfOpen');
  expect(breaker.admits).toBe(true);
});

test('half open admits one request, whose success closes it and whose failure opens it again', async () => {
  await halfOpen();
  const first = breaker.started();
  expect(breaker.admits).toBe(false);
  breaker.failed('answered 500', first);
  await until('it is open', () => breaker.state === 'open');
  await until('it is half open', () => breaker.state === 'halfOpen');
  breaker.succeeded(breaker.started());
  await until('it is closed', () => breaker.state === 'closed');
  expect(states).toEqual(['open', 'halfOpen', 'open', 'halfOpen', 'closed']);
});

test('what was sent before it opened decides nothing', async () => {
  const old = breaker.started();
  await halfOpen();
  const trial = breaker.started();
  breaker.succeeded(old);
  breaker.abandoned(old);
  await Promise.resolve();
  expect([breaker.state, breaker.admits]).toEqual(['halfOpen', false]);
  breaker.succeeded(trial);
  await until('it is closed', () => breaker.state === 'closed');
});

test('a trial that is abandoned, or takes longer than the reset time, makes room for another', async () => {
  await halfOpen();
  breaker.abandoned(breaker.started());
  expect(breaker.admits).toBe(true);
  breaker.started();
  expect(breaker.admits).toBe(false);
  nowMs += 50;
  expect(breaker.admits).toBe(true);
});

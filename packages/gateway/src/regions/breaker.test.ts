/** Outcomes act at once and fake timers move the time, so no test waits. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Breaker, type BreakerSettings } from './breaker.ts';

const SETTINGS: BreakerSettings = { errorPercent: 50, minRequests: 4, windowMs: 10_000, resetMs: 50 };

let breaker: Breaker;
let changes: string[];

beforeEach(() => {
  vi.useFakeTimers();
  breaker = breakerWith({});
});
afterEach(() => {
  breaker.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function breakerWith(settings: Partial<BreakerSettings>): Breaker {
  changes = [];
  return new Breaker({ ...SETTINGS, ...settings }, (from, to, reason) => changes.push(`${from} ${to}: ${reason}`));
}

const fail = (count: number): void => {
  for (let index = 0; index < count; index += 1) breaker.failed('answered 500', breaker.started());
};
const succeed = (count: number): void => {
  for (let index = 0; index < count; index += 1) breaker.succeeded(breaker.started());
};

function halfOpen(): void {
  fail(4);
  vi.advanceTimersByTime(SETTINGS.resetMs);
  expect(breaker.state).toBe('halfOpen');
}

describe('a closed breaker', () => {
  test.each([
    ['3 failures of 3', 0, 3, 'closed'],
    ['4 failures of 4', 0, 4, 'open'],
    ['4 failures of 8, which is the limit', 4, 4, 'closed'],
    ['5 failures of 9', 4, 5, 'open'],
    ['4 failures of 1,004', 1_000, 4, 'closed'],
  ] as const)('after %s is in the right state', (_, successes, failures, state) => {
    succeed(successes);
    fail(failures);
    expect([breaker.state, breaker.admits]).toEqual([state, state === 'closed']);
    expect(changes).toEqual(state === 'open' ? ['closed open: answered 500'] : []);
  });

  test('counts successes that came before a failure, whether they were flushed or not', () => {
    succeed(3);
    breaker.flush();
    succeed(1);
    fail(4);
    expect(breaker.state).toBe('closed');
    fail(1);
    expect(breaker.state).toBe('open');
  });

  test('forgets outcomes that left the window, and no others', () => {
    fail(3);
    vi.advanceTimersByTime(SETTINGS.windowMs - SETTINGS.windowMs / 10);
    fail(1);
    expect(breaker.state).toBe('open');
    breaker.close();
    breaker = breakerWith({});
    fail(3);
    vi.advanceTimersByTime(SETTINGS.windowMs);
    fail(1);
    expect(breaker.state).toBe('closed');
    fail(3);
    expect(breaker.state).toBe('open');
  });

  test('opens at the first failure if configured so', () => {
    breaker.close();
    breaker = breakerWith({ errorPercent: 1, minRequests: 1 });
    fail(1);
    expect(breaker.state).toBe('open');
  });
});

describe('an open breaker', () => {
  test('admits nothing during the reset time, and one request after it', () => {
    fail(4);
    vi.advanceTimersByTime(SETTINGS.resetMs - 1);
    expect([breaker.state, breaker.admits]).toEqual(['open', false]);
    vi.advanceTimersByTime(1);
    expect([breaker.state, breaker.admits]).toEqual(['halfOpen', true]);
    breaker.started();
    expect(breaker.admits).toBe(false);
  });

  test('ignores outcomes of requests that were sent nevertheless', () => {
    fail(4);
    vi.advanceTimersByTime(SETTINGS.resetMs - 1);
    succeed(100);
    fail(100);
    expect(breaker.state).toBe('open');
    vi.advanceTimersByTime(1);
    expect(breaker.state).toBe('halfOpen');
    // Nor are they in the window: the two failures that follow suffice.
    succeed(1);
    expect(changes.at(-1)).toBe('halfOpen closed: a trial request succeeded');
    fail(2);
    expect(breaker.state).toBe('open');
  });
});

describe('a half-open breaker', () => {
  test('opens after a failed trial and closes after a successful one', () => {
    halfOpen();
    breaker.failed('connection refused', breaker.started());
    expect(breaker.state).toBe('open');
    vi.advanceTimersByTime(SETTINGS.resetMs);
    breaker.succeeded(breaker.started());
    expect(changes).toEqual([
      'closed open: answered 500',
      'open halfOpen: open for 50 ms',
      'halfOpen open: connection refused',
      'open halfOpen: open for 50 ms',
      'halfOpen closed: a trial request succeeded',
    ]);
    expect(breaker.admits).toBe(true);
  });

  test('ignores outcomes of requests sent before it opened', () => {
    const old = breaker.started();
    halfOpen();
    const trial = breaker.started();
    breaker.succeeded(old);
    breaker.failed('answered 500', old);
    breaker.abandoned(old);
    expect([breaker.state, breaker.admits]).toEqual(['halfOpen', false]);
    breaker.succeeded(trial);
    expect(breaker.state).toBe('closed');
  });

  test('admits another trial when one is abandoned, or takes longer than the reset time', () => {
    halfOpen();
    breaker.abandoned(breaker.started());
    expect(breaker.admits).toBe(true);
    const slow = breaker.started();
    expect(breaker.admits).toBe(false);
    vi.advanceTimersByTime(SETTINGS.resetMs - 1);
    expect(breaker.admits).toBe(false);
    vi.advanceTimersByTime(1);
    expect(breaker.admits).toBe(true);
    const next = breaker.started();
    // A trial that was replaced does not make room in place of its successor.
    breaker.abandoned(slow);
    expect(breaker.admits).toBe(false);
    breaker.succeeded(next);
    expect(breaker.state).toBe('closed');
  });
});

test('close() leaves no timer, and no change is reported afterwards', () => {
  fail(4);
  breaker.close();
  changes = [];
  vi.advanceTimersByTime(SETTINGS.resetMs * 2);
  expect(changes).toEqual([]);
});

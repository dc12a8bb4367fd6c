import { describe, expect, test } from 'vitest';
import type { Outcome } from './outcome.ts';
import { type Decision, decide, type RetryInput } from './retry.ts';

const REASON = 'connection closed';
const outcomes = {
  ok: { kind: 'answered', status: 200 },
  notFound: { kind: 'answered', status: 404 },
  serverError: { kind: 'answered', status: 500 },
  badGateway: { kind: 'answered', status: 502 },
  unavailable: { kind: 'answered', status: 503 },
  gatewayTimeout: { kind: 'answered', status: 504 },
  connectFailed: { kind: 'connectFailed', reason: REASON },
  broken: { kind: 'brokenBeforeHeaders', reason: REASON },
  timedOut: { kind: 'timedOut', reason: REASON },
  targetDown: { kind: 'targetDown', reason: REASON },
  brokenMidBody: { kind: 'brokenMidBody', reason: REASON },
  clientGone: { kind: 'clientGone' },
} as const satisfies Record<string, Outcome>;

function decideWith(outcome: Outcome, changes: Partial<RetryInput> = {}): Decision {
  return decide({
    outcome,
    operation: 'send',
    method: 'POST',
    isBodyReplayable: true,
    isAnswerStarted: false,
    attemptCount: 1,
    maxAttempts: 4,
    hasNextTarget: () => true,
    isPastDeadline: () => false,
    produce: 'at-least-once',
    takeFromBudget: () => true,
    ...changes,
  });
}

const yes = (): boolean => true;
const no = (): boolean => false;
const retry: Decision = { action: 'retry' };
const reply: Decision = { action: 'reply' };

describe('what a region answered goes to the client', () => {
  test.each(['ok', 'notFound', 'serverError'] as const)('%s', (name) => {
    expect(decideWith(outcomes[name])).toEqual(reply);
  });
});

describe('each operation, when the request may have been executed', () => {
  test.each([
    ['poll', 'GET', retry, retry],
    ['commit', 'POST', retry, retry],
    ['seek', 'POST', retry, retry],
    ['subscribe', 'POST', retry, retry],
    ['assign', 'POST', retry, retry],
    ['createConsumer', 'POST', retry, retry],
    ['deleteConsumer', 'DELETE', retry, retry],
    ['listTopics', 'GET', retry, retry],
    ['send', 'POST', retry, { action: 'fail', code: 'regionFailed' }],
    ['sendToPartition', 'POST', retry, { action: 'fail', code: 'regionFailed' }],
    ['createTopic', 'POST', retry, { action: 'fail', code: 'regionFailed' }],
    ['unknown', 'GET', retry, retry],
    ['unknown', 'PUT', retry, { action: 'fail', code: 'regionFailed' }],
  ] as const)('%s by %s', (operation, method, atLeastOnce, atMostOnce) => {
    for (const outcome of [outcomes.broken, outcomes.targetDown, outcomes.brokenMidBody]) {
      expect(decideWith(outcome, { operation, method })).toEqual(atLeastOnce);
      expect(decideWith(outcome, { operation, method, produce: 'at-most-once' })).toEqual(atMostOnce);
    }
    // Surely not executed: always the next target.
    for (const outcome of [outcomes.connectFailed, outcomes.unavailable]) {
      expect(decideWith(outcome, { operation, method, produce: 'at-most-once' })).toEqual(retry);
    }
  });
});

describe('what ends a request', () => {
  test.each([
    ['the client left', outcomes.clientGone, {}, { action: 'drop' }],
    ['the answer has begun', outcomes.brokenMidBody, { isAnswerStarted: true }, { action: 'destroy' }],
    ['no time is left', outcomes.broken, { isPastDeadline: yes }, { action: 'fail', code: 'deadlineExceeded' }],
    [
      'no answer came, and nobody else is there',
      outcomes.timedOut,
      { hasNextTarget: no },
      { action: 'fail', code: 'deadlineExceeded' },
    ],
    [
      'the body was streamed',
      outcomes.connectFailed,
      { isBodyReplayable: false },
      { action: 'fail', code: 'regionFailed' },
    ],
    ['all targets were tried', outcomes.connectFailed, { hasNextTarget: no }, { action: 'fail', code: 'regionFailed' }],
    ['enough targets were tried', outcomes.broken, { attemptCount: 4 }, { action: 'fail', code: 'regionFailed' }],
    ['the last one said 503', outcomes.unavailable, { hasNextTarget: no }, reply],
    ['the last one said 504', outcomes.gatewayTimeout, { attemptCount: 4 }, reply],
    ['a produce may be done twice, but must not', outcomes.badGateway, { produce: 'at-most-once' }, reply],
  ] as const)('%s', (_, outcome, changes, expected) => {
    expect(decideWith(outcome, changes)).toEqual(expected);
  });
});

describe('an empty budget', () => {
  const empty = { takeFromBudget: () => false };

  test('stops retries that would load the targets', () => {
    expect(decideWith(outcomes.broken, empty)).toEqual({ action: 'fail', code: 'retryBudgetExhausted' });
    expect(decideWith(outcomes.unavailable, empty)).toEqual(reply);
  });

  test('is not asked where a retry costs nothing', () => {
    expect(decideWith(outcomes.connectFailed, empty)).toEqual(retry);
    expect(decideWith(outcomes.targetDown, empty)).toEqual(retry);
    expect(decideWith(outcomes.broken, { ...empty, operation: 'poll', method: 'GET' })).toEqual(retry);
  });

  test('is charged only for retries that are made', () => {
    let taken = 0;
    const takeFromBudget = () => {
      taken += 1;
      return true;
    };
    decideWith(outcomes.ok, { takeFromBudget });
    decideWith(outcomes.broken, { takeFromBudget, hasNextTarget: no });
    decideWith(outcomes.broken, { takeFromBudget, produce: 'at-most-once' });
    expect(taken).toBe(0);
    decideWith(outcomes.broken, { takeFromBudget });
    expect(taken).toBe(1);
  });
});

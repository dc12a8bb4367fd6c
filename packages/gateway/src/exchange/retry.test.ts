import { type Operation, OPERATIONS as ROUTES } from '@causeway/protocol/paths.ts';
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
    targetAnswersProbes: true,
    isOfConsumer: false,
    lossCount: 0,
    wasResent: false,
    isKafkaUndecided: () => false,
    produce: 'at-least-once',
    takeFromBudget: () => true,
    ...changes,
  });
}

const FAULT_OF_KAFKA: Outcome = { kind: 'answered', status: 503, fault: 'kafka' };
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

const OPERATIONS = [...ROUTES.map(({ operation }) => operation), 'unknown'] satisfies Operation[];
const PLAIN_READS: readonly Operation[] = [
  ...([
    'info',
    'healthy',
    'ready',
    'metrics',
    'openapi',
    'openapiv3',
    'listTopics',
    'getTopic',
    'listPartitions',
    'getPartition',
    'getOffsets',
  ] as const),
];

describe('no answer in time', () => {
  test.each(OPERATIONS)(
    '%s stays where it is while the target answers probes, unless it is a plain read',
    (operation) => {
      const method = operation === 'unknown' || PLAIN_READS.includes(operation) ? 'GET' : 'POST';
      const isRepeated = PLAIN_READS.includes(operation);
      const expected = isRepeated ? retry : { action: 'fail', code: 'deadlineExceeded' };
      expect(decideWith(outcomes.timedOut, { operation, method })).toEqual(expected);
      // A target that does not answer probes either is lost.
      expect(decideWith(outcomes.timedOut, { operation, method, targetAnswersProbes: false })).toEqual(retry);
    },
  );
});

describe('a fault that the answer names', () => {
  const ofRequest = (status: number): Outcome => ({ kind: 'answered', status, fault: 'request' });

  test.each([
    ['the request, of a gateway that lost or waited', ofRequest(502), {}, reply],
    ['the request, of a gateway that lost or waited', ofRequest(504), { isOfConsumer: true }, reply],
    ['the request, refused by one bridge for its own reasons', ofRequest(503), {}, retry],
    ['the request, refused by the owner of a consumer', ofRequest(503), { isOfConsumer: true }, reply],
    ['Kafka, that answers elsewhere', FAULT_OF_KAFKA, {}, retry],
    ['Kafka, that answers nowhere', FAULT_OF_KAFKA, { hasNextTarget: no }, reply],
    [
      'Kafka, of which the next probes tell',
      FAULT_OF_KAFKA,
      { hasNextTarget: no, isKafkaUndecided: yes },
      { action: 'wait' },
    ],
    [
      'Kafka, when no time is left',
      FAULT_OF_KAFKA,
      { hasNextTarget: no, isKafkaUndecided: yes, isPastDeadline: yes },
      reply,
    ],
  ] as const)('is %s', (_, outcome, changes, expected) => {
    expect(decideWith(outcome, changes)).toEqual(expected);
  });
});

describe('a request under which targets are lost', () => {
  const lost = [outcomes.broken, outcomes.targetDown, outcomes.brokenMidBody];

  test.each(OPERATIONS)('%s is offered a second target, and never a third', (operation) => {
    const input = { operation, method: 'GET', targetAnswersProbes: false } as const;
    for (const outcome of lost) {
      expect(decideWith(outcome, { ...input, lossCount: 1 })).toEqual(retry);
      expect(decideWith(outcome, { ...input, lossCount: 2 })).toEqual({ action: 'fail', code: 'targetsLost' });
    }
    // Behind another gateway.
    expect(decideWith(outcomes.badGateway, { ...input, lossCount: 2 })).toEqual(reply);
    // Nothing is lost by a target that is not there: but the next one would still be the third.
    for (const lossCount of [0, 1]) {
      expect(decideWith(outcomes.connectFailed, { ...input, lossCount })).toEqual(retry);
    }
  });

  test.each(
    Object.entries({ ...outcomes, idleClose: { ...outcomes.broken, isReused: true } } as Record<string, Outcome>),
  )('ends after two of them, whatever became of the last attempt: %s', (_, outcome) => {
    for (const wasResent of [false, true]) {
      const { action } = decideWith(outcome, { lossCount: 2, wasResent });
      expect(['reply', 'fail', 'drop']).toContain(action);
    }
  });
});

describe('a connection that had carried other requests and ends before the answer', () => {
  const idleClose: Outcome = { ...outcomes.broken, isReused: true };

  test('has the request sent once more, to the same target', () => {
    expect(decideWith(idleClose)).toEqual({ action: 'resend' });
    expect(decideWith(idleClose, { hasNextTarget: no })).toEqual({ action: 'resend' });
    expect(decideWith(idleClose, { wasResent: true })).toEqual(retry);
  });

  test('leaves alone what must not be done twice, or is not at hand any more', () => {
    const fail = { action: 'fail', code: 'regionFailed' };
    expect(decideWith(idleClose, { produce: 'at-most-once' })).toEqual(fail);
    expect(decideWith(idleClose, { isBodyReplayable: false })).toEqual(fail);
  });
});

test('what the gateway lacks is its own fault', () => {
  const outcome: Outcome = { kind: 'connectFailed', reason: REASON, culprit: 'gateway' };
  expect(decideWith(outcome, { hasNextTarget: no })).toEqual({ action: 'fail', code: 'outOfConnections' });
});

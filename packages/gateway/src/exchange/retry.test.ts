import { type Operation, OPERATIONS as ROUTES } from '@causeway/protocol/operations/table.ts';
import { describe, expect, test } from 'vitest';
import type { Misdirection } from '../ownership/route.ts';
import type { Target } from '../regions/target.ts';
import type { DecidedOutcome } from './outcome.ts';
import { type Decision, decide, mayMove, type RetryInput } from './retry.ts';

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
} as const satisfies Record<string, DecidedOutcome>;

function inputOf(changes: Partial<RetryInput> = {}): RetryInput {
  return {
    operation: 'send',
    method: 'POST',
    isBodyKept: true,
    isResponseStarted: false,
    attemptCount: 1,
    maxAttempts: 4,
    hasNextTarget: () => true,
    isPastDeadline: () => false,
    targetAnswersProbes: true,
    isKeyed: false,
    isOwned: false,
    misdirection: undefined,
    lossCount: 0,
    ownLossCount: 0,
    wasResent: false,
    isKafkaUndecided: () => false,
    mayAwaitCluster: () => false,
    isHeldUpByLimit: () => false,
    produce: 'at-least-once',
    takeFromBudget: () => true,
    ...changes,
  };
}

function decideWith(outcome: DecidedOutcome, changes: Partial<RetryInput> = {}): Decision {
  return decide(outcome, () => inputOf(changes));
}

const MISDIRECTED: DecidedOutcome = { kind: 'answered', status: 421 };
// decide() looks at nothing of a target.
const owner: Misdirection = { to: 'owner', owner: 'west/bridge', target: {} as Target };
const FAULT_OF_KAFKA: DecidedOutcome = { kind: 'answered', status: 503, fault: 'kafka' };
const yes = (): boolean => true;
const no = (): boolean => false;
const retry: Decision = { action: 'retry' };
const respond: Decision = { action: 'respond' };

describe('a region’s response goes to the client', () => {
  test.each(['ok', 'notFound', 'serverError'] as const)('%s', (name) => {
    expect(decideWith(outcomes[name])).toEqual(respond);
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
    ['unknown', 'HEAD', retry, retry],
    ['unknown', 'OPTIONS', retry, retry],
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

describe('a produce request with an idempotency key', () => {
  const keyed = { isKeyed: true, isOwned: true, misdirection: () => owner } satisfies Partial<RetryInput>;

  test.each(['exactly-once', 'at-least-once', 'at-most-once'] as const)(
    'is repeated however retry.produce is set: %s',
    (produce) => {
      const changes = { ...keyed, produce };
      for (const outcome of [outcomes.broken, outcomes.targetDown, outcomes.brokenMidBody, outcomes.badGateway]) {
        expect(decideWith(outcome, changes)).toEqual(retry);
      }
      expect(decideWith({ ...outcomes.broken, isReused: true }, changes)).toEqual({ action: 'resend' });
      expect(decideWith(outcomes.timedOut, { ...changes, targetAnswersProbes: false })).toEqual(retry);
      expect(decideWith(outcomes.connectFailed, changes)).toEqual(retry);
      expect(decideWith(outcomes.unavailable, changes)).toEqual(retry);
      expect(mayMove(outcomes.targetDown, inputOf(changes), () => ({ isAvailable: true }))).toBe(true);
    },
  );

  test.each<[string, DecidedOutcome, Partial<RetryInput>, Decision]>([
    ['the first request is still under way', { kind: 'answered', status: 409 }, {}, respond],
    ['the key stands for another request', { kind: 'answered', status: 422 }, {}, respond],
    ['a refusal that is its stored answer', { kind: 'answered', status: 404 }, {}, respond],
    ['Kafka is silent for the owner, and responds elsewhere', FAULT_OF_KAFKA, {}, retry],
    ['Kafka is silent everywhere', FAULT_OF_KAFKA, { hasNextTarget: no }, respond],
    [
      'Kafka is silent, and the next probes will show where',
      FAULT_OF_KAFKA,
      { hasNextTarget: no, isKafkaUndecided: yes },
      { action: 'wait' },
    ],
    // Another bridge would take the slot from an owner that lives, and abort the transactions of other clients.
    ['the owner refuses it for its own reasons', { kind: 'answered', status: 503, fault: 'request' }, {}, respond],
    [
      'the owner responds to probes, and to this request too late',
      outcomes.timedOut,
      {},
      { action: 'fail', code: 'deadlineExceeded' },
    ],
    [
      'bridges contend for its slot',
      MISDIRECTED,
      { misdirection: () => ({ to: 'nowhere' }) },
      { action: 'fail', code: 'slotMoving' },
    ],
    [
      'its body cannot be sent to the owner',
      MISDIRECTED,
      { isBodyKept: false },
      { action: 'fail', code: 'slotMoving' },
    ],
    ['its body cannot be sent again', outcomes.broken, { isBodyKept: false }, { action: 'fail', code: 'regionFailed' }],
    ['two targets were lost under it', outcomes.broken, { lossCount: 2 }, { action: 'fail', code: 'targetsLost' }],
  ])('%s', (_, outcome, changes, expected) => {
    expect(decideWith(outcome, { ...keyed, ...changes })).toEqual(expected);
  });
});

describe('without a key, retry.produce: exactly-once repeats', () => {
  const fail: Decision = { action: 'fail', code: 'regionFailed' };

  test.each([
    // Its body is too long to be kept; of the others each has a key.
    ['send', 'POST', fail],
    ['sendToPartition', 'POST', fail],
    ['createTopic', 'POST', retry],
    ['unknown', 'PUT', fail],
    ['unknown', 'GET', retry],
    ['poll', 'GET', retry],
  ] as const)('%s by %s', (operation, method, expected) => {
    expect(decideWith(outcomes.broken, { operation, method, produce: 'exactly-once' })).toEqual(expected);
    expect(decideWith(outcomes.connectFailed, { operation, method, produce: 'exactly-once' })).toEqual(retry);
  });
});

describe('what ends a request', () => {
  test.each([
    ['the response has begun', outcomes.brokenMidBody, { isResponseStarted: true }, { action: 'destroy' }],
    ['no time is left', outcomes.broken, { isPastDeadline: yes }, { action: 'fail', code: 'deadlineExceeded' }],
    [
      'no response came, and no other target is left',
      outcomes.timedOut,
      { hasNextTarget: no },
      { action: 'fail', code: 'deadlineExceeded' },
    ],
    ['the body was streamed', outcomes.broken, { isBodyKept: false }, { action: 'fail', code: 'regionFailed' }],
    ['all targets were tried', outcomes.connectFailed, { hasNextTarget: no }, { action: 'fail', code: 'regionFailed' }],
    ['enough targets were tried', outcomes.broken, { attemptCount: 4 }, { action: 'fail', code: 'regionFailed' }],
    ['the last one said 503', outcomes.unavailable, { hasNextTarget: no }, respond],
    ['the last one said 504', outcomes.gatewayTimeout, { attemptCount: 4 }, respond],
    ['a produce may be done twice, but must not', outcomes.badGateway, { produce: 'at-most-once' }, respond],
  ] as const)('%s', (_, outcome, changes, expected) => {
    expect(decideWith(outcome, changes)).toEqual(expected);
  });
});

test('a streamed body of which no connection has taken goes to the next target', () => {
  expect(decideWith(outcomes.connectFailed, { isBodyKept: false })).toEqual(retry);
});

describe('once the client has a part of the response', () => {
  test.each(Object.entries<DecidedOutcome>(outcomes))('nothing is sent again: %s', (_, outcome) => {
    const misdirection = (): Misdirection => ({ to: 'anyone' });
    const expected = outcome.kind === 'answered' ? respond : { action: 'destroy' };
    expect(decideWith(outcome, { isResponseStarted: true })).toEqual(expected);
    expect(decideWith(MISDIRECTED, { isResponseStarted: true, misdirection })).toEqual(respond);
  });
});

describe('a response 421', () => {
  test('leads to the owner, whatever was tried and lost before, and costs no retry', () => {
    const changes = {
      attemptCount: 4,
      lossCount: 2,
      hasNextTarget: no,
      produce: 'at-most-once',
      takeFromBudget: no,
    } as const;
    expect(decideWith(MISDIRECTED, { ...changes, misdirection: () => owner })).toEqual({
      action: 'follow',
      misdirection: owner,
    });
  });

  test.each<[string, Partial<RetryInput>, Decision]>([
    ['to the gateway that sent the request', { misdirection: () => ({ to: 'sender' }) }, respond],
    ['to nowhere', { misdirection: () => ({ to: 'nowhere' }) }, { action: 'fail', code: 'consumerMoving' }],
    [
      'to an owner that the body cannot be sent to',
      { misdirection: () => owner, isBodyKept: false },
      { action: 'fail', code: 'consumerMoving' },
    ],
    [
      'to an owner too late',
      { misdirection: () => owner, isPastDeadline: yes },
      { action: 'fail', code: 'consumerMoving' },
    ],
    ['nowhere for a request of no consumer: it is a response as any other', {}, respond],
  ])('leads %s', (_, changes, expected) => {
    expect(decideWith(MISDIRECTED, changes)).toEqual(expected);
  });
});

describe('a request leaves a target that was declared down', () => {
  const available = (): { isAvailable: boolean } => ({ isAvailable: true });

  test('for one that is available, without taking from the budget', () => {
    expect(mayMove(outcomes.targetDown, inputOf({ takeFromBudget: no }), available)).toBe(true);
  });

  test.each<[string, Partial<RetryInput>, { isAvailable: boolean } | undefined]>([
    ['the next target is not available', {}, { isAvailable: false }],
    ['no target is left', { hasNextTarget: no }, undefined],
    ['the client has a part of the response', { isResponseStarted: true }, available()],
    ['it must not be done twice', { produce: 'at-most-once' }, available()],
    ['two targets were lost under it', { lossCount: 2 }, available()],
  ])('but not if %s', (_, changes, next) => {
    expect(mayMove(outcomes.targetDown, inputOf(changes), () => next)).toBe(false);
  });
});

test.each<[string, Partial<RetryInput>, string]>([
  ['the others work to their limits', { isHeldUpByLimit: yes }, 'overloaded'],
  ['the others work to their limits, and one was lost', { isHeldUpByLimit: yes, ownLossCount: 1 }, 'regionFailed'],
  ['no other is there', {}, 'regionFailed'],
])('a target that cannot be reached while %s: %s', (_, changes, code) => {
  expect(decideWith(outcomes.connectFailed, { hasNextTarget: no, ...changes })).toEqual({ action: 'fail', code });
});

describe('an empty budget', () => {
  const empty = { takeFromBudget: () => false };

  test('stops retries that would load the targets', () => {
    expect(decideWith(outcomes.broken, empty)).toEqual({ action: 'fail', code: 'retryBudgetExhausted' });
    expect(decideWith(outcomes.unavailable, empty)).toEqual(respond);
  });

  test('is not needed where a retry costs nothing', () => {
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
  const ofRequest = (status: number): DecidedOutcome => ({ kind: 'answered', status, fault: 'request' });

  test.each([
    ['the request, of a gateway that lost or waited', ofRequest(502), {}, respond],
    ['the request, of a gateway that lost or waited', ofRequest(504), { isOwned: true }, respond],
    ['the request, refused by one bridge for its own reasons', ofRequest(503), {}, retry],
    ['the request, refused by the owner of a consumer or slot', ofRequest(503), { isOwned: true }, respond],
    ['Kafka, that answers elsewhere', FAULT_OF_KAFKA, {}, retry],
    ['Kafka, that answers nowhere', FAULT_OF_KAFKA, { hasNextTarget: no }, respond],
    [
      'Kafka, of which the next probes tell',
      FAULT_OF_KAFKA,
      { hasNextTarget: no, isKafkaUndecided: yes },
      { action: 'wait' },
    ],
    [
      'Kafka, as a probe reported while the request waited',
      { kind: 'targetDown', reason: REASON, isOfKafka: true },
      { hasNextTarget: no, isKafkaUndecided: yes },
      { action: 'wait' },
    ],
    ['none of Kafka’s', outcomes.unavailable, { hasNextTarget: no, isKafkaUndecided: yes }, respond],
    [
      'none of Kafka’s, of a target that probes found down',
      { kind: 'targetDown', reason: REASON, isOfKafka: false },
      { hasNextTarget: no, isKafkaUndecided: yes },
      { action: 'fail', code: 'regionFailed' },
    ],
    [
      'Kafka, when no time is left',
      FAULT_OF_KAFKA,
      { hasNextTarget: no, isKafkaUndecided: yes, isPastDeadline: yes },
      respond,
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
    expect(decideWith(outcomes.badGateway, { ...input, lossCount: 2 })).toEqual(respond);
    // Nothing is lost by a target that is not there: but the next one would still be the third.
    for (const lossCount of [0, 1]) {
      expect(decideWith(outcomes.connectFailed, { ...input, lossCount })).toEqual(retry);
    }
  });

  test.each(
    Object.entries({ ...outcomes, idleClose: { ...outcomes.broken, isReused: true } } as Record<
      string,
      DecidedOutcome
    >),
  )('ends after two of them, whatever the last outcome: %s', (_, outcome) => {
    for (const wasResent of [false, true]) {
      const { action } = decideWith(outcome, { lossCount: 2, wasResent });
      expect(['respond', 'fail']).toContain(action);
    }
  });
});

describe('a connection that had carried other requests and ends before the answer', () => {
  const idleClose: DecidedOutcome = { ...outcomes.broken, isReused: true };

  test('has the request sent once more, to the same target', () => {
    expect(decideWith(idleClose)).toEqual({ action: 'resend' });
    expect(decideWith(idleClose, { hasNextTarget: no })).toEqual({ action: 'resend' });
    expect(decideWith(idleClose, { wasResent: true })).toEqual(retry);
  });

  test('is the end of a request that must not be executed twice, or whose body was not kept', () => {
    const fail = { action: 'fail', code: 'regionFailed' };
    expect(decideWith(idleClose, { produce: 'at-most-once' })).toEqual(fail);
    expect(decideWith(idleClose, { isBodyKept: false })).toEqual(fail);
  });
});

test('a gateway that lacks resources reports its own fault', () => {
  const outcome: DecidedOutcome = { kind: 'connectFailed', reason: REASON, fault: 'gateway' };
  expect(decideWith(outcome, { hasNextTarget: no })).toEqual({ action: 'fail', code: 'outOfConnections' });
});

describe('a request waits for its Kafka cluster', () => {
  const cluster = { kind: 'answered', status: 503, fault: 'cluster' } as const;
  const last = { hasNextTarget: () => false, mayAwaitCluster: () => true };

  test.each<[string, DecidedOutcome, Partial<RetryInput>, Decision['action']]>([
    ['when every target refused', cluster, last, 'awaitCluster'],
    ['not while another target is left', cluster, { mayAwaitCluster: () => true }, 'retry'],
    ['also where nothing may be executed twice', cluster, { ...last, produce: 'at-most-once' }, 'awaitCluster'],
    ['when its targets are gone', outcomes.connectFailed, last, 'awaitCluster'],
    ['when it has had all its attempts there', outcomes.connectFailed, { ...last, attemptCount: 4 }, 'awaitCluster'],
    ['when Kafka is silent for it', { kind: 'answered', status: 503, fault: 'kafka' }, last, 'awaitCluster'],
    ['when it was stored perhaps, and may be stored twice', outcomes.broken, last, 'awaitCluster'],
    ['not where it may not', outcomes.broken, { ...last, produce: 'at-most-once' }, 'fail'],
    [
      'not when it was stored perhaps in the lost cluster, which says so',
      { kind: 'answered', status: 504, fault: 'cluster' },
      { ...last, produce: 'at-most-once' },
      'respond',
    ],
    ['not past its deadline', cluster, { ...last, isPastDeadline: () => true }, 'respond'],
    ['not when its body is gone', cluster, { ...last, isBodyKept: false }, 'respond'],
    ['not when it has taken two targets down', outcomes.connectFailed, { ...last, lossCount: 2 }, 'fail'],
    ['not where no promotion would help', outcomes.connectFailed, { hasNextTarget: () => false }, 'fail'],
  ])('%s', (_, outcome, changes, action) => {
    expect(decideWith(outcome, changes).action).toBe(action);
  });

  test('and a refusal of a cluster costs nothing of the retry budget', () => {
    expect(decideWith(cluster, { takeFromBudget: () => false }).action).toBe('retry');
  });
});

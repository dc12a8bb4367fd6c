import { describe, expect, test } from 'vitest';
import { GatewayError, type GatewayErrorCode } from '../errors.ts';
import { CLIENTS_TO_BLAME, Doubts } from '../regions/doubts.ts';
import type { Outcome } from './outcome.ts';
import { type Verdict, verdictOn } from './verdict.ts';

const reason = 'as it happened';
const answered = (status: number, fault?: 'request' | 'kafka'): Outcome => ({ kind: 'answered', status, fault });

/** Of a request that belongs to no consumer, and of one that does. */
const CASES: readonly (readonly [what: string, outcome: Outcome, other: Verdict, ofConsumer: Verdict])[] = [
  ...[200, 204, 302, 400, 404, 408, 409, 413, 421, 422, 429, 431].map(
    (status) => [`an answer ${status}`, answered(status), 'well', 'well'] as const,
  ),
  ['an answer 500', answered(500), 'failed', 'well'],
  ...[501, 505, 508].map((status) => [`an answer ${status}`, answered(status), 'well', 'well'] as const),
  ...[502, 503, 504, 507].map((status) => [`an answer ${status}`, answered(status), 'failed', 'failed'] as const),
  ...[500, 502, 503, 504].flatMap((status) => [
    [`an answer ${status} to a request that is at fault`, answered(status, 'request'), 'well', 'well'] as const,
    [`an answer ${status} of which Kafka is at fault`, answered(status, 'kafka'), 'nothing', 'nothing'] as const,
  ]),
  ['a connection that the target refuses', { kind: 'connectFailed', reason }, 'failed', 'failed'],
  ['a gateway without descriptors', { kind: 'connectFailed', reason, culprit: 'gateway' }, 'nothing', 'nothing'],
  ['a request whose time was short', { kind: 'connectFailed', reason, culprit: 'request' }, 'nothing', 'nothing'],
  ['a probe that fails meanwhile', { kind: 'targetDown', reason }, 'failed', 'failed'],
  ['a probe that tells of Kafka', { kind: 'targetDown', reason, isOfKafka: true }, 'nothing', 'nothing'],
  ['no answer in time', { kind: 'timedOut', reason }, 'doubted', 'doubted'],
  ['a connection that ends', { kind: 'brokenBeforeHeaders', reason }, 'doubted', 'doubted'],
  ['an idle connection that ends', { kind: 'brokenBeforeHeaders', reason, isReused: true }, 'nothing', 'nothing'],
  ['an answer that ends in the middle', { kind: 'brokenMidBody', reason }, 'doubted', 'doubted'],
  ['a client that leaves', { kind: 'clientGone' }, 'nothing', 'nothing'],
];

describe('what an outcome says about the target', () => {
  test.each(CASES)('%s', (_, outcome, other, ofConsumer) => {
    expect(verdictOn(outcome, { isOfConsumer: false })).toBe(other);
    expect(verdictOn(outcome, { isOfConsumer: true })).toBe(ofConsumer);
  });
});

test.each<[GatewayErrorCode, Verdict]>([
  ['overloaded', 'well'],
  ['outOfConnections', 'well'],
  ['consumerMoving', 'well'],
  ['deadlineExceeded', 'well'],
  ['targetsLost', 'well'],
  ['loopDetected', 'well'],
  ['transferCodingUnsupported', 'well'],
  ['internal', 'well'],
  // Of its region, to which another one is an alternative.
  ['regionFailed', 'failed'],
  ['noRegionAvailable', 'failed'],
  ['retryBudgetExhausted', 'failed'],
  ['shuttingDown', 'failed'],
])('a regional gateway’s error %s: %s', (code, expected) => {
  const error = new GatewayError(code, 'as it happened');
  const outcome = answered(error.status, error.isOfRequest ? 'request' : undefined);
  expect(verdictOn(outcome, { isOfConsumer: false })).toBe(expected);
});

describe('a doubt', () => {
  test('of one client is never a fault, however many requests it has', () => {
    const doubts = new Doubts();
    for (let count = 0; count < 1_000; count += 1) expect(doubts.add('10.0.0.1')).toBe(false);
  });

  test('of clients that have nothing in common is one, unless the target answers anyone in between', () => {
    const doubts = new Doubts();
    const addAll = (): boolean[] =>
      Array.from({ length: CLIENTS_TO_BLAME }, (_, index) => doubts.add(`10.0.0.${index}`));
    expect(addAll()).toEqual([false, false, false, false, true]);
    doubts.clear();
    expect(doubts.add('10.0.0.9')).toBe(false);
  });
});

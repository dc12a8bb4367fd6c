import { describe, expect, test } from 'vitest';
import { GatewayError, type GatewayErrorCode } from '../errors.ts';
import type { Outcome } from './outcome.ts';
import { type Verdict, verdictOn } from './verdict.ts';

const reason = 'as it happened';
const answered = (status: number, fault?: 'request' | 'kafka' | 'cluster'): Outcome => ({
  kind: 'answered',
  status,
  fault,
});

/** Of a request that belongs to no consumer, and of one that does. */
const CASES: readonly (readonly [what: string, outcome: Outcome, other: Verdict, ofConsumer: Verdict])[] = [
  ...[200, 204, 302, 400, 404, 408, 409, 413, 421, 422, 429, 431].map(
    (status) => [`an answer ${status}`, answered(status), 'succeeded', 'succeeded'] as const,
  ),
  ['an answer 500', answered(500), 'failed', 'succeeded'],
  ...[501, 505, 508].map((status) => [`an answer ${status}`, answered(status), 'succeeded', 'succeeded'] as const),
  ...[502, 503, 504, 507].map((status) => [`an answer ${status}`, answered(status), 'failed', 'failed'] as const),
  ...[500, 502, 503, 504].flatMap((status) => [
    [
      `an answer ${status} to a request that is at fault`,
      answered(status, 'request'),
      'succeeded',
      'succeeded',
    ] as const,
    [`an answer ${status} of which Kafka is at fault`, answered(status, 'kafka'), 'nothing', 'nothing'] as const,
    [`an answer ${status} of a cluster that stands by`, answered(status, 'cluster'), 'nothing', 'nothing'] as const,
  ]),
  ['a connection that the target refuses', { kind: 'connectFailed', reason }, 'failed', 'failed'],
  ['a gateway without descriptors', { kind: 'connectFailed', reason, fault: 'gateway' }, 'nothing', 'nothing'],
  ['a request whose time was short', { kind: 'connectFailed', reason, fault: 'request' }, 'nothing', 'nothing'],
  ['a probe that fails meanwhile', { kind: 'targetDown', reason }, 'failed', 'failed'],
  ['a probe that reports Kafka silent', { kind: 'targetDown', reason, isOfKafka: true }, 'nothing', 'nothing'],
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
  ['overloaded', 'succeeded'],
  ['outOfConnections', 'succeeded'],
  ['consumerMoving', 'succeeded'],
  ['slotMoving', 'succeeded'],
  ['deadlineExceeded', 'succeeded'],
  ['targetsLost', 'succeeded'],
  ['loopDetected', 'succeeded'],
  ['transferCodingUnsupported', 'succeeded'],
  ['internal', 'succeeded'],
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

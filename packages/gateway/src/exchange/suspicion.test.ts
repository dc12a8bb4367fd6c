import { SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import { describe, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import type { Outcome } from './outcome.ts';
import { Suspicion } from './suspicion.ts';

const settings = testConfig({
  healthCheck: { intervalMs: 500, timeoutMs: 500, fall: 2 },
  regions: [{ name: 'east', targets: [{ url: 'http://127.0.0.1:1' }] }],
});
const reason = 'as it happened';
const EAST = {};
const WEST = {};

function ended(
  suspicion: Suspicion,
  outcome: Outcome,
  { target = EAST, afterMs = 10, suspect = undefined as string | undefined } = {},
) {
  const headers = suspect === undefined ? {} : { [SUSPECT_HEADER]: suspect };
  suspicion.ended({ target, startedMs: 1_000, headers }, outcome, { nowMs: 1_000 + afterMs, settings });
}

describe('a target counts as lost with the request', () => {
  test.each<[string, Outcome, number]>([
    ['whose connection ends', { kind: 'brokenBeforeHeaders', reason }, 1],
    ['whose answer ends in the middle', { kind: 'brokenMidBody', reason }, 1],
    ['that probes find down', { kind: 'targetDown', reason }, 1],
    ['that does not answer', { kind: 'timedOut', reason }, 1],
    ['that reports Kafka silent', { kind: 'targetDown', reason, isOfKafka: true }, 0],
    ['that is not there', { kind: 'connectFailed', reason }, 0],
    ['that refuses', { kind: 'answered', status: 503 }, 0],
  ])('%s', (_, outcome, expected) => {
    const suspicion = new Suspicion(undefined);
    ended(suspicion, outcome);
    expect(suspicion.lossCount).toBe(expected);
  });
});

describe('a target that closed an idle connection is lost only if the resend fails, too', () => {
  test.each<[string, Outcome, number]>([
    ['the resend breaks', { kind: 'brokenBeforeHeaders', reason }, 1],
    ['the resend finds it gone', { kind: 'connectFailed', reason }, 1],
    ['the resend is answered', { kind: 'answered', status: 503 }, 0],
    ['the gateway cannot connect', { kind: 'connectFailed', reason, fault: 'gateway' }, 0],
  ])('%s', (_, outcome, expected) => {
    const suspicion = new Suspicion(undefined);
    ended(suspicion, { kind: 'brokenBeforeHeaders', reason, isReused: true });
    expect(suspicion.lossCount).toBe(0);
    ended(suspicion, outcome);
    expect(suspicion.lossCount).toBe(expected);
    // The same of another target is a doubt of its own.
    ended(suspicion, { kind: 'brokenBeforeHeaders', reason, isReused: true }, { target: WEST });
    expect(suspicion.lossCount).toBe(expected);
  });
});

test('one that is lost twice is one, and another one is another', () => {
  const suspicion = new Suspicion(undefined);
  ended(suspicion, { kind: 'brokenBeforeHeaders', reason });
  ended(suspicion, { kind: 'brokenBeforeHeaders', reason });
  expect(suspicion.lossCount).toBe(1);
  ended(suspicion, { kind: 'targetDown', reason }, { target: WEST });
  expect(suspicion.lossCount).toBe(2);
});

test('one that is lost long after it got the request was not lost by it', () => {
  const suspicion = new Suspicion(undefined);
  ended(suspicion, { kind: 'targetDown', reason }, { afterMs: 6_501 });
  expect(suspicion.lossCount).toBe(0);
  ended(suspicion, { kind: 'targetDown', reason }, { afterMs: 6_499 });
  expect(suspicion.lossCount).toBe(1);
});

test('the counts of other gateways are added, and passed on', () => {
  const suspicion = new Suspicion('1');
  expect(suspicion.mark(['a', 'b'])).toEqual(['a', 'b', SUSPECT_HEADER, '1']);
  ended(suspicion, { kind: 'answered', status: 502 }, { suspect: '1' });
  expect([suspicion.lossCount, suspicion.ownLossCount]).toEqual([2, 1]);
  for (const odd of ['-1', '12', 'x', '', undefined]) expect(new Suspicion(odd).mark([])).toEqual([]);
});

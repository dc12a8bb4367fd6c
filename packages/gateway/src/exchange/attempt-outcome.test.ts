import { FAULT_HEADER } from '@causeway/protocol/routing.ts';
import { expect, test } from 'vitest';
import { UpstreamError } from '../upstream/errors.ts';
import { outcomeOfFailure, outcomeOfResponse, outcomeOfUnsent } from './attempt-outcome.ts';

test.each([
  [200, 'kafka', undefined],
  [499, 'request', undefined],
  [500, 'request', 'request'],
  [503, 'kafka', 'kafka'],
  [503, 'other', undefined],
  [503, undefined, undefined],
] as const)('a response %s with causeway-fault %s has the fault %s', (status, header, fault) => {
  const headers = header === undefined ? {} : { [FAULT_HEADER]: header };
  const expected = fault === undefined ? { kind: 'answered', status } : { kind: 'answered', status, fault };
  expect(outcomeOfResponse(status, headers)).toStrictEqual(expected);
});

const control = { resume: () => {}, abort: () => {} };
const closed = new UpstreamError('ECONNRESET', 'the target closed the connection');
const noDescriptor = Object.assign(new Error('too many open files'), { code: 'EMFILE' });

test.each([
  ['without a connection', closed, undefined, 0, { kind: 'connectFailed' }],
  ['without a file descriptor', noDescriptor, undefined, 0, { kind: 'connectFailed', fault: 'gateway' }],
  ['on a new connection', closed, { isReused: false, hasResponseBegun: false }, 0, { kind: 'brokenBeforeHeaders' }],
  [
    'on a reused connection',
    closed,
    { isReused: true, hasResponseBegun: false },
    0,
    { kind: 'brokenBeforeHeaders', isReused: true },
  ],
  [
    'on a reused connection, within the head',
    closed,
    { isReused: true, hasResponseBegun: true },
    0,
    { kind: 'brokenBeforeHeaders' },
  ],
  ['within the body', closed, { isReused: true, hasResponseBegun: true }, 200, { kind: 'brokenMidBody' }],
] as const)('a failure %s', (_, error, seen, status, expected) => {
  const connection = seen === undefined ? undefined : { ...control, ...seen };
  expect(outcomeOfFailure(error, { connection, status, isStreamed: false })).toStrictEqual({
    ...expected,
    reason: expect.any(String),
  });
});

const refusal = Object.assign(new Error('an alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });

test.each([
  ['of a new connection sent nothing', {}, 'connectFailed'],
  ['of a streamed body lost what was sent of it', { isStreamed: true }, 'brokenBeforeHeaders'],
  ['within a response', { hasResponseBegun: true }, 'brokenBeforeHeaders'],
  ['of a reused connection may have come after the request was executed', { isReused: true }, 'brokenBeforeHeaders'],
] as const)('a refused certificate %s', (_, seen, kind) => {
  const { isStreamed, ...facts } = { isStreamed: false, isReused: false, hasResponseBegun: false, ...seen };
  const outcome = outcomeOfFailure(refusal, { connection: { ...control, ...facts }, status: 0, isStreamed });
  expect(outcome).toMatchObject({ kind, reason: 'it demands a certificate of the gateway' });
});

test('an attempt that had no connection sent nothing', () => {
  const reason = 'as it happened';
  expect(outcomeOfUnsent({ kind: 'timedOut', reason })).toEqual({ kind: 'connectFailed', reason, fault: 'request' });
  expect(outcomeOfUnsent({ kind: 'targetDown', reason })).toEqual({ kind: 'connectFailed', reason });
  expect(outcomeOfUnsent({ kind: 'clientGone' })).toEqual({ kind: 'clientGone' });
});

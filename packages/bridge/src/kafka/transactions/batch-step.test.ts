import { expect, test } from 'vitest';
import { ERROR_IDS, type ErrorId, isRetriable, kafkaError } from '../client/kafka-errors.ts';
import { type BatchStep, isInDoubt, stepAfter } from './batch-step.ts';

const refused = (errorId: ErrorId) => ({ kind: 'refused', errorId, message: '', badRecords: new Map() }) as const;
const stored = { kind: 'stored', baseOffset: 0n } as const;

test.each<[ErrorId | undefined, BatchStep, BatchStep]>([
  // The leader did not respond.
  [undefined, 'again', 'again'],
  ['CONCURRENT_TRANSACTIONS', 'again', 'again'],
  ['NOT_LEADER_OR_FOLLOWER', 'again', 'again'],
  ['UNKNOWN_TOPIC_OR_PARTITION', 'again', 'again'],
  ['NOT_ENOUGH_REPLICAS', 'again', 'again'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'again', 'again'],
  ['REQUEST_TIMED_OUT', 'again', 'again'],
  ['KAFKA_STORAGE_ERROR', 'again', 'again'],
  ['OPERATION_NOT_ATTEMPTED', 'again', 'again'],
  ['MESSAGE_TOO_LARGE', 'done', 'ended'],
  ['INVALID_RECORD', 'done', 'ended'],
  ['INVALID_TIMESTAMP', 'done', 'ended'],
  ['TOPIC_AUTHORIZATION_FAILED', 'done', 'ended'],
  // Stored, at an unknown offset.
  ['DUPLICATE_SEQUENCE_NUMBER', 'ended', 'ended'],
  ['UNKNOWN_SERVER_ERROR', 'ended', 'ended'],
  ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'ended', 'ended'],
  ['PRODUCER_FENCED', 'ended', 'ended'],
  ['INVALID_PRODUCER_EPOCH', 'ended', 'ended'],
  ['INVALID_TXN_STATE', 'ended', 'ended'],
  ['INVALID_PRODUCER_ID_MAPPING', 'ended', 'ended'],
  ['TRANSACTION_ABORTABLE', 'ended', 'ended'],
  ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'ended', 'ended'],
])('%s: %s; after an attempt that may have stored the batch: %s', (errorId, step, afterDoubt) => {
  const outcome = errorId === undefined ? undefined : refused(errorId);
  expect(stepAfter(outcome, { mayBeStored: false })).toBe(step);
  expect(stepAfter(outcome, { mayBeStored: true })).toBe(afterDoubt);
});

test('what is stored is done, and in no doubt', () => {
  expect(stepAfter(stored, { mayBeStored: true })).toBe('done');
  expect(isInDoubt(stored)).toBe(false);
  expect(isInDoubt(undefined)).toBe(true);
});

test('of every error: a batch that Kafka may have stored is never counted as refused, and one that may be stored later goes again or ends the transaction', () => {
  for (const errorId of ERROR_IDS) {
    const outcome = refused(errorId);
    if (isInDoubt(outcome)) expect(stepAfter(outcome, { mayBeStored: false }), errorId).not.toBe('done');
    if (isRetriable(errorId)) expect(stepAfter(outcome, { mayBeStored: false }), errorId).toBe('again');
    if (kafkaError(errorId).endsTransaction) expect(stepAfter(outcome, { mayBeStored: false }), errorId).toBe('ended');
    expect(stepAfter(outcome, { mayBeStored: true }), errorId).not.toBe('done');
  }
});
